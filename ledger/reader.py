"""Reads off the event loop: a few threads that keep their database connections.

Django would open a connection for each request under ASGI; a fixed number of threads bounds connections and
saves the handshake.
"""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connections

from ledger.faults import DATABASE_FAULTS, LedgerUnavailable

# Four connections a process: reads are short, and SQLite and two cores gain nothing from more.
READER_THREADS = 4
# Reads that may wait for a thread; more are refused, because they would only time out.
READ_QUEUE_LIMIT = 2_000
READ_WAIT_SECONDS = 1.7

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Reader:
    """A fixed pool of threads for functions that read the database."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The function's result, read in a thread. Raises LedgerUnavailable after READ_WAIT_SECONDS or a fault."""
        if self._waiting >= READ_QUEUE_LIMIT:
            raise LedgerUnavailable("too many reads are waiting")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="ledger-reader")
        read = functools.partial(function, *args, **kwargs)
        # With the caller's context: what is logged in the thread carries the request's id.
        call = functools.partial(contextvars.copy_context().run, _read_twice, read)
        self._waiting += 1
        try:
            async with asyncio.timeout(READ_WAIT_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        except TimeoutError:
            raise LedgerUnavailable("the database took too long to answer") from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Close the threads and their connections; the next read starts new ones."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        everyone = threading.Barrier(READER_THREADS + 1)

        def leave() -> None:
            connections.close_all()
            everyone.wait(READ_WAIT_SECONDS)

        for _ in range(READER_THREADS):
            pool.submit(leave)
        everyone.wait(READ_WAIT_SECONDS)
        pool.shutdown()


def _read_twice(read: Callable[[], Result]) -> Result:
    """Read, and once more on a new connection if the old one failed: it may have died while idle."""
    try:
        return read()
    except DATABASE_FAULTS:
        connections.close_all()
    try:
        return read()
    except DATABASE_FAULTS as error:
        connections.close_all()
        raise LedgerUnavailable(f"the database cannot be read: {error}") from error


reader = Reader()
