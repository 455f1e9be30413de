"""Group commit: one thread turns what many callers want written into few transactions.

A caller hands over a function and one unit; the thread takes all units that wait, calls each function once
with the list of its units, and commits. So a commit (an fsync) is paid once for hundreds of callers.
"""

import asyncio
import atexit
import concurrent.futures
import contextvars
import logging
import random
import threading
import time
from collections import deque
from typing import Any

from django.db import connections, transaction

from ledger import interruption, metrics
from ledger.faults import DATABASE_FAULTS, LedgerUnavailable
from ledger.units import (
    Groups,
    Hold,
    Left,
    Waiting,
    WriteMany,
    by_function,
    call,
    require_runs_last,
    runs_last,
    settle,
)

# What callers of the writer need.
__all__ = ("Writer", "require_runs_last", "runs_last", "writer")

logger = logging.getLogger(__name__)

# One transaction takes at most this many units and rows, so that the head of the log is never locked for long.
BATCH_LIMIT_UNITS = 500
BATCH_LIMIT_ROWS = 2_000
# What may wait before callers are refused: 64 MiB is 16 of the largest requests, or a second of ordinary ones.
QUEUE_LIMIT_ROWS = 20_000
QUEUE_LIMIT_BYTES = 64 * 1024 * 1024
# Callers are promised an answer within two seconds, also when the database is away.
COMMIT_WAIT_SECONDS = 1.7
# A batch that has taken so long hangs: no statement of it may run for more than ten seconds. Its connection is cut, and
# it is written on a new one; the next cut comes after twice as long, as each may leave a transaction at the other end.
STUCK_SECONDS = 15.0
# One that hangs all the same (a name server, a disk) is left to its thread, and another thread goes on without it.
REPLACE_AFTER_CUTS = 2
# A commit that took long was itself waiting for others; a rest as long would only make callers time out.
REST_LIMIT_SECONDS = 0.1
# How long a process that ends waits for what was handed over.
CLOSE_WAIT_SECONDS = 5.0


class Writer:
    """The queue and its thread. Both live as long as the process; the thread starts with the first unit."""

    def __init__(self, *, using: str = "default") -> None:
        self._using = using
        self._queue: deque[Waiting] = deque()
        self._queued_rows = 0
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._hold = Hold()
        # Since when something waits that has not got through, by the monotonic clock; None while nothing does.
        self._owing_since: float | None = None

    @property
    def late_seconds(self) -> float:
        """For how long nothing has got through, though something was to be written; 0 while all is well."""
        since = self._owing_since
        return 0.0 if since is None else time.monotonic() - since

    async def commit(self, function: WriteMany, unit: Any, *, rows: int = 1, size_bytes: int = 512) -> Any:
        """What `function` returned for this unit, after the commit. Raises LedgerUnavailable, or the unit's error."""
        _refuse_in_transaction()
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._enqueue(Waiting(function, unit, rows, size_bytes, future, loop, contextvars.copy_context()))
        try:
            async with asyncio.timeout(COMMIT_WAIT_SECONDS):
                return await future
        except TimeoutError:
            raise LedgerUnavailable("the database took too long to commit") from None

    def commit_from_thread(self, function: WriteMany, unit: Any, *, rows: int = 1, size_bytes: int = 512) -> Any:
        """The same as `commit`, for a thread that may wait."""
        _refuse_in_transaction()
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._enqueue(Waiting(function, unit, rows, size_bytes, future, None, contextvars.copy_context()))
        try:
            return future.result(COMMIT_WAIT_SECONDS)
        except TimeoutError:
            # What has not begun is not written any more.
            future.cancel()
            raise LedgerUnavailable("the database took too long to commit") from None

    def write_behind(self, function: WriteMany, unit: Any, *, rows: int = 1, size_bytes: int = 512) -> bool:
        """Hand a unit over without waiting; False if the queue is full and it was dropped (and logged)."""
        try:
            self._enqueue(Waiting(function, unit, rows, size_bytes, None, None, contextvars.copy_context()))
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

    def _enqueue(self, waiting: Waiting) -> None:
        with self._changed:
            full = self._queued_rows + waiting.rows > QUEUE_LIMIT_ROWS
            if full or self._queued_bytes + waiting.size_bytes > QUEUE_LIMIT_BYTES:
                raise LedgerUnavailable("too much is waiting to be written")
            self._queue.append(waiting)
            self._queued_rows += waiting.rows
            self._queued_bytes += waiting.size_bytes
            metrics.WAITING_ROWS.set(self._queued_rows)
            if self._owing_since is None:
                self._owing_since = time.monotonic()
            if self._thread is None:
                self._closing = False
                self._start()
            else:
                self._free_if_stuck()
                self._changed.notify()

    def _start(self) -> None:
        self._hold = Hold()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def _free_if_stuck(self) -> None:
        """Called whenever something is handed over, which a serving process does every few seconds."""
        hold = self._hold
        if hold.batch is None or time.monotonic() < hold.stuck_at:
            return
        hold.cuts += 1
        hold.stuck_at = time.monotonic() + STUCK_SECONDS * 2**hold.cuts
        # On SQLite the lock of the file is this thread's as long as its transaction: another could not write either.
        if hold.cuts <= REPLACE_AFTER_CUTS or connections[self._using].vendor == "sqlite":
            logger.error("writing hangs; its connection is cut")
            if hold.connection is not None:
                interruption.cut(hold.connection)
            return
        logger.error("writing hangs; another thread goes on")
        # The old thread may still end, but does not commit any more. Callers that waited got LedgerUnavailable; what is
        # written behind is written by the next thread, once, as its rows have ids of their own.
        hold.left = True
        behind = [waiting for waiting in hold.batch if waiting.future is None]
        self._queue.extendleft(reversed(behind))
        self._queued_rows += sum(waiting.rows for waiting in behind)
        self._queued_bytes += sum(waiting.size_bytes for waiting in behind)
        self._start()

    def _run(self) -> None:
        hold = self._hold
        connection = hold.connection = connections[self._using]
        try:
            while batch := self._take(hold):
                started = time.perf_counter()
                self._write_batch(batch, hold)
                with self._changed:
                    hold.batch = None
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

    def _take(self, hold: "Hold") -> list[Waiting]:
        """The next batch, waiting for one; empty when the writer closes and nothing waits, or when another goes on."""
        with self._changed:
            if hold.left:
                return []
            while not self._queue:
                if self._closing:
                    self._thread = None
                    return []
                self._changed.wait()
            batch: list[Waiting] = []
            rows = 0
            while self._queue and len(batch) < BATCH_LIMIT_UNITS and rows < BATCH_LIMIT_ROWS:
                waiting = self._queue.popleft()
                self._queued_rows -= waiting.rows
                self._queued_bytes -= waiting.size_bytes
                rows += waiting.rows
                batch.append(waiting)
            metrics.WAITING_ROWS.set(self._queued_rows)
            hold.batch, hold.cuts, hold.stuck_at = batch, 0, time.monotonic() + STUCK_SECONDS
            return batch

    def _write_batch(self, batch: list[Waiting], hold: "Hold") -> None:
        groups = by_function([waiting for waiting in batch if not waiting.abandoned])
        try:
            outcomes = self._write_twice(groups, hold)
            self._got_through(hold)
        except Left:
            return
        except DATABASE_FAULTS as error:
            if hold.left:
                return
            metrics.FAILED_WRITES.inc(len(batch))
            logger.error("the database did not take %d writes: %s", len(batch), error)
            outcomes = [
                (waiting, LedgerUnavailable("the database did not take the write"))
                for _, group in groups
                for waiting in group
            ]
        settle(outcomes)

    def _got_through(self, hold: "Hold") -> None:
        with self._changed:
            if not hold.left:
                self._owing_since = time.monotonic() if self._queue else None

    def _write_twice(self, groups: Groups, hold: "Hold") -> list[tuple[Waiting, Any]]:
        """Write on the connection there is, then once more on a new one: the old may have died while idle."""
        try:
            return self._write(groups, hold)
        except DATABASE_FAULTS:
            connections[self._using].close()
            hold.check()
            return self._write(groups, hold)

    def _write(self, groups: Groups, hold: "Hold") -> list[tuple[Waiting, Any]]:
        try:
            with metrics.BATCH_SECONDS.time(), transaction.atomic(self._using, durable=True):
                outcomes = [pair for function, group in groups for pair in call(function, group)]
                hold.check()
                return outcomes
        except (*DATABASE_FAULTS, Left):
            raise
        except Exception:
            logger.exception("a write failed; writing its batch one by one")
            return [self._write_alone(function, waiting, hold) for function, group in groups for waiting in group]

    def _write_alone(self, function: WriteMany, waiting: Waiting, hold: "Hold") -> tuple[Waiting, Any]:
        """One bad unit fails alone: its error is its own outcome."""
        try:
            with transaction.atomic(self._using, durable=True):
                outcome = waiting.context.run(call, function, [waiting])[0]
                hold.check()
                return outcome
        except (*DATABASE_FAULTS, Left):
            raise
        except Exception as error:  # noqa: BLE001 - not swallowed: the caller that brought the unit gets it
            return waiting, error


def _refuse_in_transaction() -> None:
    # Waiting inside a transaction of one's own deadlocks on SQLite: write the rows in that transaction.
    # (Not `connections[...]`, which on the event loop makes a new connection object for every request.)
    if any(connection.in_atomic_block for connection in connections.all(initialized_only=True)):
        raise RuntimeError("waiting for a commit inside a transaction would wait for itself")


writer = Writer()
atexit.register(writer.close)
