"""manage.py new_epoch and prune_events."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command

from events import log
from events.models import Event
from gateway.filters import Selection
from gateway.identity import tickets
from gateway.identity.principals import Principal
from gateway.identity.session_store import SessionStore
from gateway.jobs import purge
from gateway.shared_store import store
from tests.events.samples import append_events, delete_by, grow_older
from vx11_client import status_line

pytestmark = pytest.mark.usefixtures("ledger")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_a_new_epoch_is_shown_beside_the_old_one() -> None:
    append_events(3)
    before = log.head()
    shown = run("new_epoch")
    after = log.head()
    assert before.epoch != after.epoch
    assert (after.last_seq, after.oldest_seq) == (3, 1)
    assert before.epoch in shown
    assert str(after.newest) in shown


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "ended"])
def test_n11_a_new_epoch_ends_sessions_and_tickets_of_before_unless_told_otherwise(*, keep: bool) -> None:
    session = SessionStore()
    session["user"] = 7
    session.save()
    ticket = tickets.new(Principal("p-1", "principal", "test", frozenset()), Selection())
    async_to_sync(tickets.store)("a-ticket", ticket, address="192.0.2.1")
    shown = run("new_epoch", *["--keep-sessions"] * keep)
    assert SessionStore(session.session_key).load() == ({"user": 7} if keep else {})
    # Without Redis tickets are in the memory of the process that serves, which a restore finds stopped.
    in_redis = store.the_redis() is not None
    assert (async_to_sync(tickets.find)("a-ticket") is None) == (in_redis and not keep)
    assert "valid again" in shown
    assert ("1 sessions are ended" in shown) == (not keep)


def test_pruning_says_what_it_deleted_and_what_is_left() -> None:
    append_events(5)
    shown = run("prune_events", "--keep-rows", "2")
    assert "Deleted 3 events" in shown
    assert list(Event.objects.values_list("seq", flat=True)) == [4, 5]


def test_n09_nearly_all_events_are_deleted_only_when_told() -> None:
    append_events(150)
    with pytest.raises(CommandError, match="This would delete 148 of 150 events, and deleted none"):
        run("prune_events", "--keep-rows", "2")
    assert Event.objects.count() == 150
    assert "Deleted 148 events" in run("prune_events", "--keep-rows", "2", "--yes")


def test_pruning_by_the_settings_keeps_what_is_young() -> None:
    append_events(5)
    assert "Deleted nothing" in run("prune_events")


@pytest.mark.parametrize(
    "words", [["--keep-rows", "-1"], ["--keep-days", "-1"], ["--keep-days", "0"], ["--keep-rows", "x"]]
)
def test_a_typing_error_does_not_empty_the_log(words: list[str]) -> None:
    append_events(5)
    head = log.head()
    with pytest.raises(CommandError):
        run("prune_events", *words)
    assert log.head() == head
    assert Event.objects.count() == 5


@pytest.mark.parametrize("words", [["--older-than", "0d"], ["--older-than", "23h"], ["--older-than", "30"]])
def test_an_age_under_a_day_or_without_its_unit_does_not_empty_the_log(words: list[str]) -> None:
    append_events(5)
    grow_older(5, timedelta(days=29))
    with pytest.raises(CommandError):
        run("prune_events", *words)
    assert Event.objects.count() == 5


@pytest.mark.parametrize("words", [["--older-than", "36h"], ["--keep-days", "1"], ["--older-than", "1d"]])
def test_an_age_in_hours_or_days_says_what_goes(words: list[str]) -> None:
    append_events(5)
    grow_older(3, timedelta(hours=40))
    assert "Deleted 3 events. The log holds 4 to 5." in run("prune_events", *words)


def test_a_dry_run_says_how_many_would_go_and_moves_nothing() -> None:
    append_events(5)
    grow_older(2, timedelta(days=40))
    head = log.head()
    assert re.search(r"events +2\b", run("prune_events", "--dry-run"))
    assert log.head() == head
    assert Event.objects.count() == 5
    assert "Deleted 2 events" in run("prune_events")


def test_progress_on_a_terminal_is_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    delete_by(2, monkeypatch)
    monkeypatch.setattr(status_line, "REDRAW_SECONDS", 0.0)
    append_events(6)
    out = Terminal()
    call_command("prune_events", "--keep-rows", "2", stdout=out)
    drawn = out.getvalue().split(status_line.CLEAR_LINE)
    assert drawn == [
        "",
        "events: 2 of 4 deleted",
        "events: 4 of 4 deleted",
        "Deleted 4 events. The log holds 5 to 6.\n",
    ]


def test_progress_into_a_file_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    delete_by(2, monkeypatch)
    monkeypatch.setattr(purge, "PLAIN_LINE_SECONDS", 0.0)
    append_events(6)
    assert run("prune_events", "--keep-rows", "2").splitlines()[:2] == [
        "events: 2 of 4 deleted",
        "events: 4 of 4 deleted",
    ]
