"""manage.py purge_tokens: what it says, what it refuses, and how it ends."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from gateway.jobs import purge, retention
from gateway.models import TokenAudit
from tests.database_faults import database_away


@pytest.fixture(autouse=True)
def _old_rows(ledger: None) -> None:
    """Three audit rows beyond the retention of 90 days, and one of last month."""
    for days in (91, 92, 93, 30):
        TokenAudit.objects.create(action="ticket_issued", at=timezone.now() - timedelta(days=days))


def run(*words: str) -> str:
    out = StringIO()
    call_command("purge_tokens", *words, stdout=out)
    return out.getvalue()


def rows() -> int:
    return TokenAudit.objects.exclude(action="purged").count()


def test_a_dry_run_says_how_many_of_each_would_go_and_deletes_nothing() -> None:
    shown = run("--dry-run")
    assert re.search(r"audit rows +3\n", shown)
    assert re.search(r"closed streams +0\n", shown)
    assert re.search(r"dead tokens +0\n", shown)
    assert TokenAudit.objects.count() == 4


def test_a_purge_says_what_it_deleted_and_leaves_an_audit_row() -> None:
    assert run() == "Deleted 3 audit rows.\n"
    assert rows() == 1
    row = TokenAudit.objects.get(action="purged")
    assert (row.actor, row.count) == ("manage.py purge_tokens", 3)


def test_an_age_may_be_given() -> None:
    assert run("--older-than", "29d") == "Deleted 4 audit rows.\n"


@pytest.mark.parametrize("age", ["0d", "23h", "0h", "90", "", "-1d", "1w", "1.5d", "99999d", "٣d"])
def test_a_typing_error_does_not_empty_the_audit(age: str) -> None:
    with pytest.raises(CommandError) as raised:
        run(f"--older-than={age}")
    assert rows() == 4
    assert "--older-than" in str(raised.value)


def test_the_least_age_is_named_when_less_is_asked_for() -> None:
    with pytest.raises(CommandError, match="1d"):
        run("--older-than", "0d")


def test_ctrl_c_ends_it_in_order_and_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    add = purge.Progress.add

    def add_and_be_interrupted(progress: purge.Progress, name: str, count: int) -> None:
        add(progress, name, count)
        raise KeyboardInterrupt

    monkeypatch.setattr(purge.Progress, "add", add_and_be_interrupted)
    with pytest.raises(CommandError, match="after deleting 2 audit rows") as raised:
        run()
    assert raised.value.returncode == purge.INTERRUPTED
    assert rows() == 2
    assert TokenAudit.objects.get(action="purged").count == 2


def test_a_database_that_is_away_is_one_sentence() -> None:
    with database_away():
        connection.close()
        with pytest.raises(CommandError, match="Run this again"):
            run()
        connection.close()
    assert rows() == 4
