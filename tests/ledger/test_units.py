"""Units of the writer: the mark of functions that lock the log, and outcomes that reach their callers."""

import asyncio
import contextvars
from collections.abc import Sequence
from typing import Any

import pytest

from ledger.units import Hold, Left, Waiting, call, require_runs_last, runs_last, settle
from tests.metrics import counting


def as_they_are(units: list[Any]) -> Sequence[Any]:
    return units


def one_too_few(units: list[Any]) -> Sequence[Any]:
    return units[1:]


def unit(value: Any, future: "asyncio.Future[Any] | None" = None, *, rows: int = 1) -> Waiting:
    loop = None if future is None else future.get_loop()
    return Waiting(as_they_are, value, rows, 1, future, loop, contextvars.copy_context())


def is_allowed() -> bool:
    try:
        require_runs_last()
    except RuntimeError:
        return False
    return True


@runs_last
def inner(units: list[Any]) -> Sequence[bool]:
    return [is_allowed() for _ in units]


@runs_last
def outer(units: list[Any]) -> Sequence[bool]:
    return [*inner(units[:1]), is_allowed()]


@runs_last
def fails(units: list[Any]) -> Sequence[Any]:
    raise ZeroDivisionError


def test_what_locks_the_log_is_allowed_while_a_marked_function_runs_and_not_after_it() -> None:
    assert not is_allowed()
    # Also after another marked function that it called, and after one that failed.
    assert outer([1, 2]) == [True, True]
    assert not is_allowed()
    with pytest.raises(ZeroDivisionError):
        fails([1])
    assert not is_allowed()


def test_each_unit_has_its_own_result_and_a_function_must_give_one_for_each() -> None:
    units = [unit(1), unit(2)]
    assert call(as_they_are, units) == [(units[0], 1), (units[1], 2)]
    with pytest.raises(ValueError, match="zip"):
        call(one_too_few, units)
    # What was called is over: a marked function may be called by itself.
    assert inner([1]) == [True]


def borrows(units: list[Any]) -> Sequence[bool]:
    return inner(units)


def test_a_function_that_is_not_marked_may_not_call_one_that_is_and_a_marked_one_may() -> None:
    with pytest.raises(RuntimeError, match="borrows must be marked with runs_last: it calls .*inner"):
        call(borrows, [unit(1)])
    ((_, result),) = call(runs_last(borrows), [unit(1)])
    assert result is True


def test_a_thread_whose_place_was_taken_is_stopped_and_others_are_not() -> None:
    Hold().check()
    with pytest.raises(Left):
        Hold(left=True).check()


async def test_outcomes_reach_the_callers_that_still_wait_and_errors_are_raised_there() -> None:
    loop = asyncio.get_running_loop()
    good, bad, gone, last = (loop.create_future() for _ in range(4))
    gone.cancel()
    units = [unit(1, good), unit(2, bad), unit(3, gone), unit(4), unit(5, last)]
    assert [one.abandoned for one in units] == [False, False, True, False, False]
    settle(list(zip(units, ["one", KeyError("two"), "three", "four", "five"], strict=True)))
    assert await asyncio.wait_for(last, 10) == "five"
    assert await good == "one"
    with pytest.raises(KeyError):
        await bad
    assert gone.cancelled()


def test_callers_of_a_loop_that_was_closed_are_left_out() -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    settle([(unit(1, future), "one")])
    assert not future.done()


def test_rows_written_behind_that_are_lost_are_counted_and_those_that_were_written_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost = counting("vx11_writer_lost_rows_total")
    settle([(unit(1, rows=2), "written"), (unit(2, rows=3), "written")])
    assert (lost(), caplog.records) == (0, [])
    settle([(unit(1, rows=2), OSError("first")), (unit(2, rows=3), OSError("second")), (unit(3, rows=9), "written")])
    assert lost() == 5
    (record,) = caplog.records
    assert record.getMessage() == "5 rows written behind were lost, the first by: first"
