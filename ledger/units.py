"""What is handed over to the writer, what its threads work on, and how each caller gets its own outcome."""

import asyncio
import concurrent.futures
import contextvars
import dataclasses
import functools
import logging
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ledger import metrics

logger = logging.getLogger(__name__)

# Units in, results out, in the same order; a result that is an exception is raised in its own caller only.
WriteMany = Callable[[list[Any]], Sequence[Any]]


@dataclasses.dataclass(slots=True, eq=False)
class Waiting:
    function: WriteMany
    unit: Any
    rows: int
    size_bytes: int
    # Of a caller on an event loop, with the loop; of a caller in a thread, without; None if none waits.
    future: "asyncio.Future[Any] | concurrent.futures.Future[Any] | None"
    loop: asyncio.AbstractEventLoop | None
    # Of the request that brought it: what is logged while it is written carries that request's id.
    context: contextvars.Context

    @property
    def abandoned(self) -> bool:
        return self.future is not None and self.future.cancelled()


class Left(Exception):
    """Another thread goes on in the place of this one, which must not commit any more."""


@dataclasses.dataclass(slots=True)
class Hold:
    """What one thread of the writer is working on."""

    batch: list[Waiting] | None = None
    connection: BaseDatabaseWrapper | None = None
    stuck_at: float = math.inf
    cuts: int = 0
    left: bool = False

    def check(self) -> None:
        if self.left:
            raise Left


Groups = list[tuple[WriteMany, list[Waiting]]]


class _Here(threading.local):
    """What runs in this thread."""

    # The function that a writer has called.
    called: WriteMany | None = None
    # How many functions marked with `runs_last` are running, each within the one before it.
    running_last: int = 0


_here = _Here()


def call(function: WriteMany, group: list[Waiting]) -> list[tuple[Waiting, Any]]:
    _here.called = function
    try:
        return list(zip(group, function([waiting.unit for waiting in group]), strict=True))
    finally:
        _here.called = None


def runs_last(function: WriteMany) -> WriteMany:
    """Mark a function that locks the head of the log: it runs after all others of its batch.

    So the lock is held briefly, and every transaction of a writer locks its other rows first. Raises RuntimeError when
    a function that is not marked, and so runs earlier, calls a marked one.
    """

    @functools.wraps(function)
    def last(units: list[Any]) -> Sequence[Any]:
        if _here.called is not None and not _is_last(_here.called):
            raise RuntimeError(f"{_name_of(_here.called)} must be marked with runs_last: it calls {_name_of(function)}")
        _here.running_last += 1
        try:
            return function(units)
        finally:
            _here.running_last -= 1

    last.runs_last = True  # type: ignore[attr-defined]  # a mark on a function has no type of its own
    return last


def require_runs_last() -> None:
    """Raise RuntimeError unless a function that is marked with `runs_last` is running in this thread."""
    if not _here.running_last:
        raise RuntimeError("what locks the head of the log must be marked with runs_last")


def _is_last(function: WriteMany) -> bool:
    return getattr(function, "runs_last", False)


def by_function(batch: list[Waiting]) -> Groups:
    groups: dict[WriteMany, list[Waiting]] = {}
    for waiting in batch:
        groups.setdefault(waiting.function, []).append(waiting)
    # All processes in one order, not that of arrival: two that change the same rows must not wait for each other.
    return sorted(groups.items(), key=lambda item: (_is_last(item[0]), _name_of(item[0])))


def _name_of(function: WriteMany) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def settle(outcomes: list[tuple[Waiting, Any]]) -> None:
    """Give every caller its outcome, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[Any, Any]]] = {}
    lost: list[tuple[int, Exception]] = []
    for waiting, outcome in outcomes:
        if waiting.future is not None:
            by_loop.setdefault(waiting.loop, []).append((waiting.future, outcome))
        elif isinstance(outcome, Exception):
            lost.append((waiting.rows, outcome))
    if lost:
        metrics.LOST_ROWS.inc(sum(rows for rows, _ in lost))
        logger.error("%d rows written behind were lost, the first by: %s", sum(rows for rows, _ in lost), lost[0][1])
    for loop, pairs in by_loop.items():
        if loop is None:
            _resolve([(future, outcome) for future, outcome in pairs if future.set_running_or_notify_cancel()])
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, pairs)


def _resolve(pairs: list[tuple[Any, Any]]) -> None:
    for future, outcome in pairs:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
