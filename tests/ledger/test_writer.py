"""Group commit: every caller gets its own outcome, and no unit is lost by the fault of another."""

import asyncio
import contextvars
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction

from ledger import writer as writer_module
from ledger.faults import LedgerUnavailable
from ledger.units import Waiting, WriteMany, by_function
from ledger.writer import COMMIT_WAIT_SECONDS, Writer, runs_last
from tests.waiting import wait_until


def insert_groups(names: list[str]) -> Sequence[str]:
    """A function for the writer: one row for each unit; the name "bad" cannot be written."""
    if "bad" in names:
        raise ValueError("bad")
    Group.objects.bulk_create([Group(name=name) for name in names])
    return [f"wrote {name}" for name in names]


def names_written() -> list[str]:
    return sorted(Group.objects.values_list("name", flat=True))


@pytest.fixture(autouse=True)
def no_groups(ledger: None) -> None:
    """The rows of these tests are groups, and a new installation has some."""
    Group.objects.all().delete()


@pytest.fixture
def own_writer() -> Iterator[Writer]:
    own = Writer()
    yield own
    own.close()


class Gate:
    """A function for the writer that holds the thread in its transaction until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, units: list[Any]) -> Sequence[None]:
        self.entered.set()
        assert self.opened.wait(10)
        return [None] * len(units)


@pytest.fixture
def gate(own_writer: Writer) -> Iterator[Gate]:
    """The writer's thread is busy with this gate: all that is handed over meanwhile makes one batch after it."""
    gate = Gate()
    own_writer.write_behind(gate, "held")
    assert gate.entered.wait(10)
    yield gate
    gate.opened.set()


async def handed_over(own_writer: Writer, function: Any, units: Sequence[Any], **size: int) -> list[asyncio.Task[Any]]:
    """Tasks that wait for these units' outcomes; when this returns, all units are in the queue."""
    tasks = [asyncio.create_task(own_writer.commit(function, unit, **size)) for unit in units]
    await asyncio.sleep(0)
    return tasks


async def test_every_caller_gets_the_result_of_its_own_unit(own_writer: Writer) -> None:
    names = [f"group {number}" for number in range(40)]
    results = await asyncio.gather(*(own_writer.commit(insert_groups, name) for name in names))
    assert results == [f"wrote {name}" for name in names]


async def test_what_waits_together_is_written_by_one_call(own_writer: Writer, gate: Gate) -> None:
    calls: list[list[int]] = []

    def note(units: list[int]) -> Sequence[int]:
        calls.append(list(units))
        return units

    tasks = await handed_over(own_writer, note, range(20))
    gate.opened.set()

    assert await asyncio.gather(*tasks) == list(range(20))
    assert calls == [list(range(20))]


async def test_when_a_caller_has_its_result_the_row_is_committed(own_writer: Writer) -> None:
    await own_writer.commit(insert_groups, "durable")
    assert await asyncio.to_thread(_names_seen_by_another_connection) == ["durable"]


def _names_seen_by_another_connection() -> list[str]:
    try:
        return names_written()
    finally:
        connection.close()


async def test_a_bad_unit_fails_alone_and_the_others_of_its_batch_are_committed(own_writer: Writer, gate: Gate) -> None:
    tasks = await handed_over(own_writer, insert_groups, ["one", "bad", "two"])
    gate.opened.set()

    one, bad, two = await asyncio.gather(*tasks, return_exceptions=True)

    assert (one, two) == ("wrote one", "wrote two")
    assert isinstance(bad, ValueError)
    assert await asyncio.to_thread(_names_seen_by_another_connection) == ["one", "two"]


async def test_an_exception_as_a_result_is_raised_in_its_own_caller_only(own_writer: Writer, gate: Gate) -> None:
    def refuse_odd(units: list[int]) -> Sequence[Any]:
        return [KeyError(unit) if unit % 2 else unit for unit in units]

    tasks = await handed_over(own_writer, refuse_odd, range(4))
    gate.opened.set()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, KeyError, int, KeyError]


async def test_a_function_that_locks_the_log_runs_after_all_others_of_its_batch(own_writer: Writer, gate: Gate) -> None:
    order: list[str] = []

    @runs_last
    def last(units: list[str]) -> Sequence[None]:
        order.extend(units)
        return [None] * len(units)

    def ordinary(units: list[str]) -> Sequence[None]:
        order.extend(units)
        return [None] * len(units)

    tasks = await handed_over(own_writer, last, ["last"]) + await handed_over(own_writer, ordinary, ["first"])
    gate.opened.set()
    await asyncio.gather(*tasks)

    assert order == ["first", "last"]


async def test_a_unit_whose_caller_was_cancelled_before_its_turn_is_not_written(own_writer: Writer, gate: Gate) -> None:
    cancelled, kept = await handed_over(own_writer, insert_groups, ["cancelled", "kept"])
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    gate.opened.set()

    await kept
    assert await asyncio.to_thread(_names_seen_by_another_connection) == ["kept"]


@pytest.mark.parametrize("size", [{"rows": writer_module.QUEUE_LIMIT_ROWS}, {"size_bytes": 64 * 1024 * 1024}])
async def test_a_full_queue_refuses_callers_at_once(own_writer: Writer, gate: Gate, size: dict[str, int]) -> None:
    (waiting,) = await handed_over(own_writer, insert_groups, ["fills the queue"], **size)

    with pytest.raises(LedgerUnavailable):
        await own_writer.commit(insert_groups, "one too many")

    gate.opened.set()
    assert await waiting == "wrote fills the queue"
    assert await own_writer.commit(insert_groups, "there is room again") == "wrote there is room again"


def test_writing_behind_says_whether_there_was_room(own_writer: Writer, gate: Gate) -> None:
    assert own_writer.write_behind(insert_groups, "fills the queue", rows=writer_module.QUEUE_LIMIT_ROWS)
    assert not own_writer.write_behind(insert_groups, "one too many")
    gate.opened.set()


def test_a_row_written_behind_arrives_without_a_caller_that_waits(own_writer: Writer) -> None:
    assert own_writer.write_behind(insert_groups, "behind")
    wait_until(lambda: names_written() == ["behind"], "the row is there")


def test_waiting_for_a_commit_inside_a_transaction_is_refused(own_writer: Writer) -> None:
    coroutine = own_writer.commit(insert_groups, "deadlock")
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        # As the admin would: in the thread that holds the transaction.
        coroutine.send(None)
    assert names_written() == []


def test_closing_writes_what_waits_and_the_next_unit_starts_a_new_thread(own_writer: Writer) -> None:
    for number in range(1200):
        own_writer.write_behind(insert_groups, f"group {number}")
    own_writer.close()
    assert Group.objects.count() == 1200

    own_writer.write_behind(insert_groups, "after closing")
    own_writer.close()
    assert Group.objects.count() == 1201


async def test_a_database_that_does_not_answer_is_unavailable_in_time_and_writing_goes_on_afterwards(
    own_writer: Writer, gate: Gate
) -> None:
    started = time.monotonic()
    with pytest.raises(LedgerUnavailable):
        await own_writer.commit(insert_groups, "too late")
    assert time.monotonic() - started < COMMIT_WAIT_SECONDS + 1

    gate.opened.set()
    assert await own_writer.commit(insert_groups, "in time") == "wrote in time"
    assert await asyncio.to_thread(_names_seen_by_another_connection) == ["in time"]


async def test_a_fault_of_the_database_is_met_by_a_second_try(own_writer: Writer) -> None:
    tries: list[int] = []

    def fails_once(units: list[str]) -> Sequence[str]:
        tries.append(len(units))
        if len(tries) == 1:
            raise OperationalError("the link was lost")
        return insert_groups(units)

    assert await own_writer.commit(fails_once, "second try") == "wrote second try"
    assert len(tries) == 2


async def test_a_database_that_fails_twice_is_unavailable_for_all_of_its_batch_and_the_next_is_written(
    own_writer: Writer, gate: Gate
) -> None:
    def always_fails(units: list[str]) -> Sequence[str]:
        raise OperationalError("away")

    tasks = await handed_over(own_writer, insert_groups, ["in the same batch"])
    tasks += await handed_over(own_writer, always_fails, ["fails"])
    gate.opened.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable, LedgerUnavailable]
    assert await own_writer.commit(insert_groups, "later") == "wrote later"


def test_rows_written_behind_that_are_lost_together_are_one_line(
    own_writer: Writer, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    def always_fails(units: list[str]) -> Sequence[str]:
        raise OperationalError("away")

    for number in range(20):
        own_writer.write_behind(always_fails, f"row {number}", rows=2)
    gate.opened.set()
    own_writer.close()

    (line,) = [record.message for record in caplog.records if "written behind" in record.message]
    assert line.startswith("40 rows written behind were lost")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_what_ends_the_thread_does_not_end_writing(own_writer: Writer) -> None:
    def ends_the_thread(units: list[str]) -> Sequence[str]:
        raise SystemExit

    with pytest.raises(LedgerUnavailable):
        await own_writer.commit(ends_the_thread, "broken")

    assert await own_writer.commit(insert_groups, "later") == "wrote later"


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no connection that could be cut")
async def test_a_connection_that_was_cut_between_commits_loses_nothing(own_writer: Writer) -> None:
    def backend_pid(units: list[str]) -> Sequence[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return [cursor.fetchone()[0]] * len(units)

    for number in range(5):
        pid = await own_writer.commit(backend_pid, "whose connection is it")
        await asyncio.to_thread(_terminate, pid)
        assert await own_writer.commit(insert_groups, f"group {number}") == f"wrote group {number}"
    assert len(await asyncio.to_thread(_names_seen_by_another_connection)) == 5


def _terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close()


def test_all_processes_write_in_the_same_order_whatever_came_first() -> None:
    def one(units: list[Any]) -> list[None]:
        raise NotImplementedError

    def other(units: list[Any]) -> list[None]:
        raise NotImplementedError

    @runs_last
    def a_last_one(units: list[Any]) -> list[None]:
        raise NotImplementedError

    def order(*functions: WriteMany) -> list[WriteMany]:
        batch = [Waiting(function, 1, 1, 1, None, None, contextvars.copy_context()) for function in functions]
        return [function for function, _ in by_function(batch)]

    for functions in itertools.permutations((one, other, a_last_one)):
        assert order(*functions) == [one, other, a_last_one]
