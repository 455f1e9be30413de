"""A thread of a serving process that looks for work again and again, and what is wrong with it."""

import contextlib
import logging
import random
import threading
from collections.abc import Callable
from typing import Protocol

from django.db import connections

from ledger.faults import DATABASE_FAULTS

# Such a thread ends with its process anyway, and what it had not committed does not count.
STOP_WAIT_SECONDS = 2.0


class Looking:
    """`look` does what there is to do and gives the seconds until it is called again; it must raise nothing. `end` is
    called in the same thread when that is stopped; faults of the database are no matter then."""

    def __init__(
        self, name: str, look: Callable[[], float], *, first_rest_seconds: float, end: Callable[[], None] | None = None
    ) -> None:
        self._look = look
        self._first_rest_seconds = first_rest_seconds
        self._end = end
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Does nothing if it was not started."""
        self._ending.set()
        if self.is_running:
            self._thread.join(STOP_WAIT_SECONDS)

    def _run(self) -> None:
        rest_seconds = self._first_rest_seconds
        # Jitter: processes that were started together must not all look at once.
        while not self._ending.wait(rest_seconds * random.uniform(0.8, 1.0)):
            rest_seconds = self._look()
        with contextlib.suppress(*DATABASE_FAULTS):
            if self._end is not None:
                self._end()
        close_connections()


class Flag(Protocol):
    """A gauge."""

    def set(self, value: float, /) -> None: ...


class Trouble:
    """What is wrong, nothing while all is well: a log line for each change. `wrong` has a place for what it is."""

    def __init__(self, logger: logging.Logger, *, wrong: str, well: str, flag: Flag | None = None) -> None:
        self._logger = logger
        self._wrong = wrong
        self._well = well
        self._flag = flag
        self._known = ""

    def note(self, trouble: str) -> bool:
        """An empty text: nothing is wrong. Whether this is news; then it is logged, and the flag is 1 or 0."""
        if trouble == self._known:
            return False
        self._known = trouble
        if self._flag is not None:
            self._flag.set(bool(trouble))
        if trouble:
            self._logger.warning(self._wrong, trouble)
        else:
            self._logger.info(self._well)
        return True


def close_connections() -> None:
    """Of this thread: one that only waits has no use for them."""
    with contextlib.suppress(*DATABASE_FAULTS):
        connections.close_all()
