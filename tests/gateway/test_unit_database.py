"""What a test leaves in the database of the unit tests is gone before the next one, and what it took is back."""

from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection

from gateway.models import TokenAudit
from operator_api.models import Module

if TYPE_CHECKING:
    from tests.unit_database import UnitDatabase

pytestmark = pytest.mark.usefixtures("ledger")


def everything() -> dict[str, list[tuple[object, ...]]]:
    return {
        model._meta.db_table: sorted(map(tuple, model._default_manager.values_list()), key=repr)
        for model in apps.get_models(include_auto_created=True)
    }


def test_rows_that_were_added_changed_and_deleted_are_as_the_migrations_left_them(
    unit_database: "UnitDatabase",
) -> None:
    before = everything()
    assert len(before["auth_group"]) == 4
    assert before["operator_api_module"]
    group = Group.objects.get(name="viewer")
    group.user_set.add(User.objects.create(username="somebody"))
    group.permissions.clear()
    Group.objects.filter(name="operator").delete()
    Module.objects.all().delete()
    # Its trigger refuses to have it deleted.
    TokenAudit.objects.create(action="refused", reason="for a test")
    assert everything() != before

    unit_database.restore()

    assert everything() == before


def test_the_database_is_that_of_the_size_that_is_tested(stack_size: str) -> None:
    assert connection.vendor == ("sqlite" if stack_size == "embedded" else "postgresql")
