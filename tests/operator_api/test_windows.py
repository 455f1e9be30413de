"""Windows: one at a time, each change with its event, each change once."""

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from events import log
from events.log.cursors import Cursor
from events.models import Event
from operator_api import windows
from operator_api.models import Window
from operator_api.windows import AlreadyOpen, Closing, Extension, NoneOpen
from tests.operator_api.samples import (
    ALICE,
    BOB,
    close_window,
    expire_window,
    extend_window,
    let_time_pass,
    open_window,
    opened,
    opening,
    told,
    types_told,
)

pytestmark = pytest.mark.usefixtures("ledger")


def test_a_window_opens_with_its_event_and_the_cursor_after_it() -> None:
    status = opened(opening("switch", ttl_seconds=60, reason="a test"))
    assert (status["mode"], status["services"], status["ttl_seconds"]) == ("window_active", ["switch"], 60)
    assert (status["opened_by"], status["reason"], status["chat_enabled"]) == ("alice", "a test", True)
    ((event_type, payload),) = told()
    assert (event_type, payload["window_id"], payload["by"]) == ("window.opened", status["window_id"], "alice")
    assert payload["window"] == {name: value for name, value in status.items() if name != "cursor"}
    assert status["cursor"] == str(log.head().newest)
    event = Event.objects.get()
    assert (event.module, event.severity, event.correlation_id) == ("madre", "info", "request-of-alice")


def test_a_window_that_is_held_has_no_deadline() -> None:
    status = opened(opening(ttl_seconds=None))
    assert (status["ttl_seconds"], status["deadline"]) == (None, None)
    assert not windows.is_due()


def test_a_second_window_is_refused_with_the_first_and_leaves_no_event() -> None:
    first = opened(opening("switch"))
    second = open_window(opening("hermes", by=BOB))
    assert isinstance(second, AlreadyOpen)
    assert second.window == first
    assert types_told() == ["window.opened"]


def test_of_two_that_open_together_one_gets_the_window() -> None:
    with transaction.atomic():
        outcomes = windows.open_many([opening("switch"), opening("hermes", by=BOB)])
    assert [isinstance(outcome, AlreadyOpen) for outcome in outcomes] == [False, True]


def test_the_database_itself_holds_no_two_open_windows() -> None:
    opened()
    with pytest.raises(IntegrityError):
        Window.objects.create(services=[])


def test_an_opening_that_is_written_twice_is_one_window_and_one_event() -> None:
    asked = opening("switch")
    first, again = opened(asked), opened(asked)
    assert first["window_id"] == again["window_id"]
    assert types_told() == ["window.opened"]


def test_an_opening_that_is_written_again_after_its_window_was_closed_opens_no_other() -> None:
    asked = opening("switch")
    opened(asked)
    close_window()
    assert opened(asked)["mode"] == "solo_madre"
    assert types_told() == ["window.opened", "window.closed"]


def test_an_extension_counts_from_now_and_gives_a_held_window_a_deadline() -> None:
    opened(opening(ttl_seconds=None))
    status = extend_window(30, by=BOB)
    assert not isinstance(status, NoneOpen)
    assert status["ttl_seconds"] == 30
    assert types_told() == ["window.opened", "window.extended"]
    assert told()[1][1]["by"] == "bob"


def test_an_extension_that_is_written_twice_is_one_event() -> None:
    opened()
    asked = Extension(30, ALICE)
    with transaction.atomic():
        windows.extend_many([asked, asked])
    assert types_told() == ["window.opened", "window.extended"]


def test_closing_says_which_window_it_was_and_that_none_is_open() -> None:
    window_id = opened(opening("switch"))["window_id"]
    status = close_window()
    assert not isinstance(status, NoneOpen)
    assert (status["mode"], status["window_id"], status["services"]) == ("solo_madre", window_id, [])
    assert (status["services_stopped"], status["cursor"]) == (["switch"], str(log.head().newest))
    assert told()[1][1]["window"]["mode"] == "solo_madre"
    row = Window.objects.get()
    assert (row.ending, row.closed_by) == ("closed", "bob")
    assert row.closed_at is not None


def test_a_closing_that_is_written_twice_finds_what_it_did() -> None:
    opened()
    asked = Closing(BOB)
    assert close_window(asked) == close_window(asked)
    assert types_told() == ["window.opened", "window.closed"]


def test_without_a_window_there_is_nothing_to_extend_or_to_close() -> None:
    assert isinstance(extend_window(30), NoneOpen)
    assert isinstance(close_window(), NoneOpen)
    assert types_told() == []


def test_a_window_whose_time_is_over_expires_once() -> None:
    window_id = opened()["window_id"]
    assert not windows.is_due()
    assert not expire_window()
    let_time_pass()
    assert windows.is_due()
    assert [expire_window(), expire_window()] == [True, False]
    assert types_told() == ["window.opened", "window.expired"]
    assert told()[1][1]["window_id"] == window_id
    assert told()[1][1]["by"] is None
    assert Window.objects.get().ending == "expired"


def test_a_window_whose_time_is_over_is_not_extended_nor_closed_but_expires() -> None:
    opened()
    let_time_pass()
    assert isinstance(extend_window(30), NoneOpen)
    opened(opening("hermes"))
    let_time_pass()
    assert isinstance(close_window(), NoneOpen)
    assert types_told() == ["window.opened", "window.expired"] * 2


def test_a_new_window_opens_though_nobody_has_noticed_that_the_last_one_is_over() -> None:
    opened()
    let_time_pass()
    status = opened(opening("hermes", by=BOB))
    assert status["opened_by"] == "bob"
    assert types_told() == ["window.opened", "window.expired", "window.opened"]


def test_a_window_past_its_deadline_is_open_for_nobody_who_looks() -> None:
    Window.objects.create(services=[], deadline=timezone.now() - timedelta(seconds=1))
    assert windows.snapshot()["mode"] == "solo_madre"


def test_no_change_comes_between_a_window_and_the_position_at_which_it_is_as_shown() -> None:
    opened()
    changes: Iterator[Callable[[], object]] = iter([close_window, open_window] * 3)

    def meanwhile(execute: Any, *statement: Any) -> Any:
        """After each statement of the snapshot, somebody else changes the window."""
        result = execute(*statement)
        for change in itertools.islice(changes, 1):
            in_a_thread(change)
        return result

    with connection.execute_wrapper(meanwhile):
        snapshots = [windows.snapshot() for _ in range(3)]
    for snapshot in snapshots:
        last = Event.objects.filter(seq__lte=Cursor.parse(snapshot["cursor"]).seq).order_by("-seq")[0]
        assert snapshot["window_id"] == orjson.loads(last.payload)["window"]["window_id"]


def in_a_thread(change: Callable[[], object]) -> None:
    def run() -> None:
        change()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_a_change_that_fails_leaves_neither_row_nor_event() -> None:
    def open_and_fail() -> None:
        with transaction.atomic():
            windows.open_many([opening()])
            raise LookupError

    with pytest.raises(LookupError):
        open_and_fail()
    assert not Window.objects.exists()
    assert not Event.objects.exists()
