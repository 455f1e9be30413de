"""Chat messages and closed windows go with the audit, when they are old and not before."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from gateway.jobs import retention
from gateway.models import AccessToken
from operator_api.models import ChatMessage, OperatorSettings, Window
from tests.operator_api.samples import answered, close_window, message, opened, stored

pytestmark = pytest.mark.usefixtures("ledger")


def purge() -> retention.Counts:
    before = timezone.now() - timedelta(days=90)
    deleted = retention.purge(before, actor="a test", after_batch=lambda _name, _rows: None)
    return {name: rows for name, rows in deleted.items() if rows}


def test_old_messages_and_windows_go_and_young_ones_stay() -> None:
    opened()
    stored(message("old"))
    close_window()
    old = timezone.now() - timedelta(days=91)
    ChatMessage.objects.update(created_at=old)
    Window.objects.update(closed_at=old)
    opened()
    stored(message("young"))
    close_window()
    assert purge() == {"chat messages": 1, "closed windows": 1}
    assert [row.content for row in ChatMessage.objects.all()] == ["young"]
    assert Window.objects.count() == 1
    assert purge() == {}


def test_settings_of_front_ends_stay_as_long_as_somebody_could_use_them() -> None:
    token, _ = AccessToken.issue("principal", "a front end", scopes=frozenset())
    user = User.objects.create_user("ana")
    old = timezone.now() - timedelta(days=91)
    for principal_id in (token.public_id, f"u-{user.pk}", "p-gone", "u-999"):
        OperatorSettings.objects.create(pk=principal_id, updated_at=old)
    OperatorSettings.objects.create(pk="p-gone-lately", updated_at=timezone.now())
    assert purge() == {"orphaned settings": 2}
    left = set(OperatorSettings.objects.values_list("pk", flat=True))
    assert left == {token.public_id, f"u-{user.pk}", "p-gone-lately"}


def test_a_window_that_is_open_stays_however_old_it_is() -> None:
    opened()
    Window.objects.update(created_at=timezone.now() - timedelta(days=200))
    assert purge() == {}


def test_a_window_waits_for_the_last_answer_that_names_it() -> None:
    opened()
    answered(stored())
    close_window()
    Window.objects.update(closed_at=timezone.now() - timedelta(days=91))
    assert purge() == {}
    ChatMessage.objects.update(created_at=timezone.now() - timedelta(days=91))
    assert purge() == {"chat messages": 2, "closed windows": 1}
