"""What the writer counts, how long it rests, and that a thread whose place was taken commits nothing."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, connections

from ledger import writer as writer_module
from ledger.faults import LedgerUnavailable
from ledger.units import Hold, Left, Waiting
from ledger.writer import Writer
from tests.metrics import counting, here
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def own_writer() -> Iterator[Writer]:
    Group.objects.all().delete()
    own = Writer()
    yield own
    own.close()


def insert_groups(names: list[str]) -> Sequence[str]:
    Group.objects.bulk_create([Group(name=name) for name in names])
    return names


class Gate:
    """A function for the writer that holds its thread until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, units: list[Any]) -> Sequence[None]:
        self.entered.set()
        assert self.opened.wait(20)
        return [None] * len(units)


@pytest.fixture
def gate(own_writer: Writer) -> Iterator[Gate]:
    gate = Gate()
    own_writer.write_behind(gate, "held")
    assert gate.entered.wait(20)
    yield gate
    gate.opened.set()


def test_what_waits_is_shown_and_what_was_dropped_is_counted(
    own_writer: Writer, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = counting("vx11_writer_lost_rows_total")
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT_ROWS", 5)
    assert own_writer.write_behind(insert_groups, "one", rows=2)
    assert own_writer.write_behind(insert_groups, "two", rows=3)
    assert here("vx11_writer_waiting_rows") == 5
    assert not own_writer.write_behind(insert_groups, "three", rows=4)
    assert dropped() == 4
    gate.opened.set()
    own_writer.close()
    assert here("vx11_writer_waiting_rows") == 0
    assert Group.objects.count() == 2


def test_the_queue_may_be_filled_to_the_byte(own_writer: Writer, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT_BYTES", 100)
    assert own_writer.write_behind(insert_groups, "one", size_bytes=60)
    assert own_writer.write_behind(insert_groups, "two", size_bytes=40)
    assert not own_writer.write_behind(insert_groups, "three", size_bytes=1)


async def test_writes_that_the_database_did_not_take_are_counted(own_writer: Writer) -> None:
    failed = counting("vx11_writer_failed_writes_total")

    def fails(units: list[str]) -> Sequence[str]:
        raise OperationalError("away")

    with pytest.raises(LedgerUnavailable):
        await own_writer.commit(fails, "one")
    assert failed() == 1
    await own_writer.commit(insert_groups, "two")
    assert failed() == 1


def test_a_batch_ends_with_its_units(monkeypatch: pytest.MonkeyPatch, own_writer: Writer, gate: Gate) -> None:
    monkeypatch.setattr(writer_module, "BATCH_LIMIT_UNITS", 3)
    calls: list[int] = []

    def note(units: list[int]) -> Sequence[int]:
        calls.append(len(units))
        return units

    for number in range(7):
        own_writer.write_behind(note, number)
    gate.opened.set()
    own_writer.close()
    assert calls == [3, 3, 1]


async def test_what_still_waits_when_a_batch_got_through_is_late_from_then_on(own_writer: Writer, gate: Gate) -> None:
    second = Gate()
    waiting = asyncio.create_task(own_writer.commit(second, "second"))
    await asyncio.sleep(0)
    since = own_writer._owing_since
    assert since is not None
    own_writer.write_behind(insert_groups, "third")
    # What comes later does not make the first less late.
    assert own_writer._owing_since == since
    gate.opened.set()
    await asyncio.to_thread(second.entered.wait, 10)
    assert own_writer._owing_since is not None
    assert own_writer._owing_since > since
    second.opened.set()
    await waiting
    await asyncio.to_thread(wait_until, lambda: own_writer.late_seconds == 0, "all got through")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only SQLite's lock is unfair to other processes")
@pytest.mark.parametrize(
    ("writing_seconds", "min_seconds", "max_seconds"), [(0.0, 0.0, 0.0), (0.04, 0.02, 0.04), (30.0, 0.1, 0.1)]
)
def test_after_a_batch_the_writer_leaves_sqlite_to_others_for_about_as_long(
    own_writer: Writer,
    monkeypatch: pytest.MonkeyPatch,
    writing_seconds: float,
    min_seconds: float,
    max_seconds: float,
) -> None:
    rests: list[float] = []
    looks = iter([10.0, 10.0 + writing_seconds])
    clock = SimpleNamespace(perf_counter=lambda: next(looks), sleep=rests.append, monotonic=time.monotonic)
    monkeypatch.setattr(writer_module, "time", clock)
    own_writer.write_behind(insert_groups, "one")
    own_writer.close()
    (rest,) = rests
    # Give or take what the subtraction of two floats loses.
    assert min_seconds - 1e-9 <= rest <= max_seconds + 1e-9


# A thread whose place another has taken


def waiting_for(function: Any, name: str, future: "asyncio.Future[Any] | None" = None) -> Waiting:
    loop = None if future is None else future.get_loop()
    return Waiting(function, name, 1, 1, future, loop, contextvars.copy_context())


class TakenOver:
    """A function that writes, and whose thread is left while it does; the first time it may fail."""

    def __init__(self, hold: Hold, error: Exception | None = None) -> None:
        self.hold, self.error, self.calls = hold, error, 0

    def __call__(self, names: list[str]) -> Sequence[str]:
        self.calls += 1
        insert_groups(names)
        self.hold.left = True
        if self.error is not None:
            raise self.error
        return names


@pytest.mark.parametrize("error", [None, OperationalError("cut")])
async def test_n07_a_thread_whose_place_was_taken_commits_nothing_and_answers_no_caller(
    own_writer: Writer, error: Exception | None
) -> None:
    hold, future = Hold(), asyncio.get_running_loop().create_future()
    failed = counting("vx11_writer_failed_writes_total")
    function = TakenOver(hold, error)

    def write() -> int:
        try:
            own_writer._write_batch([waiting_for(function, "left", future)], hold)
            return Group.objects.count()
        finally:
            connection.close()

    assert await asyncio.to_thread(write) == 0
    await asyncio.sleep(0)
    assert (function.calls, future.done(), failed()) == (1, False, 0)


def test_n07_a_thread_whose_place_was_taken_while_it_writes_one_by_one_commits_nothing(own_writer: Writer) -> None:
    hold = Hold()
    function = TakenOver(hold)
    with pytest.raises(Left):
        own_writer._write_alone(function, waiting_for(function, "left"), hold)
    assert Group.objects.count() == 0


async def test_n07_what_got_through_in_a_thread_that_was_left_does_not_count_for_the_one_that_goes_on(
    own_writer: Writer,
) -> None:
    own_writer._owing_since = 1.0
    own_writer._got_through(Hold(left=True))
    assert own_writer._owing_since == 1.0
    own_writer._got_through(Hold())
    assert own_writer._owing_since is None


def test_a_thread_that_ends_is_not_waited_for_by_what_is_handed_over_next(own_writer: Writer) -> None:
    own_writer._thread, own_writer._closing = threading.current_thread(), True
    assert own_writer._take(Hold()) == []
    # From this moment on, before the thread has ended.
    assert own_writer._thread is None


def test_a_process_ends_though_its_writer_hangs(own_writer: Writer, gate: Gate) -> None:
    assert own_writer._thread is not None
    assert own_writer._thread.daemon


def note_connections(seen: list[Any]) -> Any:
    """A function for the writer that fails the first time, and notes on which connections it ran."""

    def fails_once(units: list[str]) -> Sequence[str]:
        connection.ensure_connection()
        seen.append((connections["default"], connection.connection))
        if len(seen) == 1:
            raise OperationalError("the link was lost")
        return insert_groups(units)

    return fails_once


def test_the_second_try_has_a_new_connection_which_is_closed_with_the_writer(own_writer: Writer) -> None:
    seen: list[Any] = []
    own_writer.write_behind(note_connections(seen), "one")
    own_writer.close()
    assert Group.objects.count() == 1
    (wrapper, first), (_, second) = seen
    assert first is not second
    assert wrapper.connection is None


def test_a_writer_that_was_closed_has_one_thread_again_for_all_that_comes(own_writer: Writer) -> None:
    own_writer.close()
    threads: list[threading.Thread] = []

    def note(units: list[str]) -> Sequence[str]:
        threads.append(threading.current_thread())
        return units

    for number in (1, 2, 3):
        own_writer.write_behind(note, "one")
        wait_until(lambda number=number: len(threads) == number, "it is written")  # type: ignore[misc]
    assert len(set(threads)) == 1


def test_the_thread_after_one_that_was_left_is_not_left(own_writer: Writer) -> None:
    own_writer._hold.left = True
    own_writer.write_behind(insert_groups, "one")
    own_writer.close()
    assert Group.objects.count() == 1
