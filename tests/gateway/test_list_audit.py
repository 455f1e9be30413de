"""manage.py list_audit: what happened to tokens, as a person on call reads it in a terminal."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway.models import TokenAudit

pytestmark = pytest.mark.usefixtures("ledger")


def run(*words: str) -> str:
    out = StringIO()
    call_command("list_audit", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def rows(*words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("--json", *words).splitlines()]


@pytest.fixture
def written(ledger: None) -> None:
    """Five rows, a minute apart."""
    values: tuple[dict[str, Any], ...] = (
        {"action": "token_issued", "principal_id": "p-1"},
        {"action": "ticket_issued", "principal_id": "p-1", "ticket_id": "t-1"},
        {"action": "refused", "reason": "token_in_query", "principal_id": "p-1", "address": "192.0.2.7"},
        {"action": "refused", "reason": "token_in_query", "address": "192.0.2.8", "count": 40},
        {"action": "refused", "reason": "main_auth_failed: unknown", "address": "192.0.2.9"},
    )
    for minute, fields in enumerate(values):
        TokenAudit.objects.create(at=timezone.now() - timedelta(minutes=5 - minute), **fields)


@pytest.mark.usefixtures("written")
def test_the_newest_rows_are_shown_the_oldest_first() -> None:
    assert [row["action"] for row in rows()] == ["token_issued", "ticket_issued", "refused", "refused", "refused"]
    assert [row["address"] for row in rows("--last", "2")] == ["192.0.2.8", "192.0.2.9"]


@pytest.mark.usefixtures("written")
def test_rows_are_chosen_by_action_reason_principal_and_ticket() -> None:
    found = rows("--reason", "token_in_query")
    assert [(row["address"], row["principal_id"], row["count"]) for row in found] == [
        ("192.0.2.7", "p-1", 1),
        ("192.0.2.8", "", 40),
    ]
    assert [row["address"] for row in rows("--reason", "main_auth_failed")] == ["192.0.2.9"]
    assert len(rows("--action", "refused")) == 3
    assert len(rows("--principal", "p-1")) == 3
    assert [row["action"] for row in rows("--ticket", "t-1")] == ["ticket_issued"]
    assert rows("--principal", "p-2") == []


@pytest.mark.usefixtures("written")
def test_a_person_reads_columns_and_no_name_can_begin_a_line() -> None:
    TokenAudit.objects.create(action="admin_changed", actor="eve\nrefused \x1b[31m")
    lines = run("--last", "3").splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["at", "action", "count", "reason", "address", *lines[0].split()[5:]]
    assert "192.0.2.8" in lines[1]
    assert not any("\x1b" in line for line in lines)


def test_no_rows_are_said_and_a_number_that_is_none_is_an_error() -> None:
    assert run("--reason", "nothing of this kind") == "No such rows.\n"
    for wrong in ("0", "-1", "10001"):
        with pytest.raises(CommandError, match="--last"):
            run("--last", wrong)
