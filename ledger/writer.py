"""Group commit: one thread turns what many callers want written into few transactions.

A caller hands over a function and one unit; the thread takes all units that wait, calls each function once
with the list of its units, and commits. So a commit (an fsync) is paid once for hundreds of callers.
"""

import asyncio
import atexit
import contextvars
import dataclasses
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, transaction

from ledger import metrics
from ledger.faults import DATABASE_FAULTS, LedgerUnavailable

logger = logging.getLogger(__name__)

# One transaction takes at most this many units and rows, so that the head of the log is never locked for long.
BATCH_LIMIT_UNITS = 500
BATCH_LIMIT_ROWS = 2_000
# What may wait before callers are refused: 64 MiB is 16 of the largest requests, or a second of ordinary ones.
QUEUE_LIMIT_ROWS = 20_000
QUEUE_LIMIT_BYTES = 64 * 1024 * 1024
# Callers are promised an answer within two seconds, also when the database is away.
COMMIT_WAIT_SECONDS = 1.7
# A commit that took long was itself waiting for others; a rest as long would only make callers time out.
REST_LIMIT_SECONDS = 0.1
# How long a process that ends waits for what was handed over.
CLOSE_WAIT_SECONDS = 5.0

# Units in, results out, in the same order; a result that is an exception is raised in its own caller only.
WriteMany = Callable[[list[Any]], Sequence[Any]]


@dataclasses.dataclass(slots=True, eq=False)
class _Waiting:
    function: WriteMany
    unit: Any
    rows: int
    size_bytes: int
    future: "asyncio.Future[Any] | None"
    loop: asyncio.AbstractEventLoop | None
    # Of the request that brought it: what is logged while it is written carries that request's id.
    context: contextvars.Context

    @property
    def abandoned(self) -> bool:
        return self.future is not None and self.future.cancelled()


_Groups = list[tuple[WriteMany, list[_Waiting]]]


def runs_last(function: WriteMany) -> WriteMany:
    """Mark a function that locks the head of the log: it runs after all others, so the lock is held briefly."""
    function.runs_last = True  # type: ignore[attr-defined]  # a mark on a function has no type of its own
    return function


class Writer:
    """The queue and its thread. Both live as long as the process; the thread starts with the first unit."""

    def __init__(self, *, using: str = "default") -> None:
        self._using = using
        self._queue: deque[_Waiting] = deque()
        self._queued_rows = 0
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False

    async def commit(self, function: WriteMany, unit: Any, *, rows: int = 1, size_bytes: int = 512) -> Any:
        """What `function` returned for this unit, after the commit. Raises LedgerUnavailable, or the unit's error."""
        # Waiting here inside a transaction of one's own deadlocks on SQLite: write the rows in that transaction.
        # (Not `connections[...]`, which on the event loop makes a new connection object for every request.)
        if any(connection.in_atomic_block for connection in connections.all(initialized_only=True)):
            raise RuntimeError("writer.commit() inside a transaction would wait for itself")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._enqueue(_Waiting(function, unit, rows, size_bytes, future, loop, contextvars.copy_context()))
        try:
            async with asyncio.timeout(COMMIT_WAIT_SECONDS):
                return await future
        except TimeoutError:
            raise LedgerUnavailable("the database took too long to commit") from None

    def write_behind(self, function: WriteMany, unit: Any, *, rows: int = 1, size_bytes: int = 512) -> bool:
        """Hand a unit over without waiting; False if the queue is full and it was dropped (and logged)."""
        try:
            self._enqueue(_Waiting(function, unit, rows, size_bytes, None, None, contextvars.copy_context()))
        except LedgerUnavailable:
            metrics.LOST_ROWS.inc(rows)
            logger.error("dropped a row written behind: the write queue is full")
            return False
        return True

    def close(self) -> None:
        """Commit what waits, then end the thread and its connection. The next unit starts a new one."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._changed.notify()
        if thread is not None:
            thread.join(CLOSE_WAIT_SECONDS)

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._changed:
            full = self._queued_rows + waiting.rows > QUEUE_LIMIT_ROWS
            if full or self._queued_bytes + waiting.size_bytes > QUEUE_LIMIT_BYTES:
                raise LedgerUnavailable("too much is waiting to be written")
            self._queue.append(waiting)
            self._queued_rows += waiting.rows
            self._queued_bytes += waiting.size_bytes
            metrics.WAITING_ROWS.set(self._queued_rows)
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
                self._thread.start()
            else:
                self._changed.notify()

    def _run(self) -> None:
        connection = connections[self._using]
        try:
            while batch := self._take():
                started = time.perf_counter()
                self._write_batch(batch)
                if connection.vendor == "sqlite":
                    # SQLite's lock is not fair: without a rest, other processes starve behind a busy writer.
                    rest_seconds = (time.perf_counter() - started) * random.uniform(0.5, 1.0)
                    time.sleep(min(rest_seconds, REST_LIMIT_SECONDS))
        finally:
            connection.close()
            with self._changed:
                if self._thread is threading.current_thread():
                    # Something unforeseen has ended this thread; the next unit starts another one.
                    self._thread = None

    def _take(self) -> list[_Waiting]:
        """The next batch, waiting for one; empty when the writer closes and nothing waits."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    self._thread = None
                    return []
                self._changed.wait()
            batch: list[_Waiting] = []
            rows = 0
            while self._queue and len(batch) < BATCH_LIMIT_UNITS and rows < BATCH_LIMIT_ROWS:
                waiting = self._queue.popleft()
                self._queued_rows -= waiting.rows
                self._queued_bytes -= waiting.size_bytes
                rows += waiting.rows
                batch.append(waiting)
            metrics.WAITING_ROWS.set(self._queued_rows)
            return batch

    def _write_batch(self, batch: list[_Waiting]) -> None:
        groups = _by_function([waiting for waiting in batch if not waiting.abandoned])
        try:
            outcomes = self._write_twice(groups)
        except DATABASE_FAULTS as error:
            metrics.FAILED_WRITES.inc(len(batch))
            logger.error("the database did not take %d writes: %s", len(batch), error)
            outcomes = [
                (waiting, LedgerUnavailable("the database did not take the write"))
                for _, group in groups
                for waiting in group
            ]
        _settle(outcomes)

    def _write_twice(self, groups: _Groups) -> list[tuple[_Waiting, Any]]:
        """Write on the connection there is, then once more on a new one: the old may have died while idle."""
        try:
            return self._write(groups)
        except DATABASE_FAULTS:
            connections[self._using].close()
            return self._write(groups)

    def _write(self, groups: _Groups) -> list[tuple[_Waiting, Any]]:
        try:
            with metrics.BATCH_SECONDS.time(), transaction.atomic(self._using, durable=True):
                return [pair for function, group in groups for pair in _call(function, group)]
        except DATABASE_FAULTS:
            raise
        except Exception:
            logger.exception("a write failed; writing its batch one by one")
            return [self._write_alone(function, waiting) for function, group in groups for waiting in group]

    def _write_alone(self, function: WriteMany, waiting: _Waiting) -> tuple[_Waiting, Any]:
        """One bad unit fails alone: its error is its own outcome."""
        try:
            with transaction.atomic(self._using, durable=True):
                return waiting.context.run(_call, function, [waiting])[0]
        except DATABASE_FAULTS:
            raise
        except Exception as error:  # noqa: BLE001 - not swallowed: the caller that brought the unit gets it
            return waiting, error


def _call(function: WriteMany, group: list[_Waiting]) -> list[tuple[_Waiting, Any]]:
    return list(zip(group, function([waiting.unit for waiting in group]), strict=True))


def _by_function(batch: list[_Waiting]) -> _Groups:
    groups: dict[WriteMany, list[_Waiting]] = {}
    for waiting in batch:
        groups.setdefault(waiting.function, []).append(waiting)
    # All processes in the same order, whatever came first: two that change the same rows must not wait for each other.
    return sorted(groups.items(), key=lambda item: (getattr(item[0], "runs_last", False), _name_of(item[0])))


def _name_of(function: WriteMany) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def _settle(outcomes: list[tuple[_Waiting, Any]]) -> None:
    """Give every caller its outcome, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    lost: list[tuple[int, Exception]] = []
    for waiting, outcome in outcomes:
        if waiting.future is not None and waiting.loop is not None:
            by_loop.setdefault(waiting.loop, []).append((waiting.future, outcome))
        elif isinstance(outcome, Exception):
            lost.append((waiting.rows, outcome))
    if lost:
        metrics.LOST_ROWS.inc(sum(rows for rows, _ in lost))
        logger.error("%d rows written behind were lost, the first by: %s", sum(rows for rows, _ in lost), lost[0][1])
    for loop, pairs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, pairs)


def _resolve(pairs: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, outcome in pairs:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


writer = Writer()
atexit.register(writer.close)
