"""Attempts to send, each in a thread of its own, at most so many at once, and each for so long at most.

A thread cannot be ended from outside. One that does not end in its time counts as failed, and its connections are cut,
so that it ends soon. Until it does its place is lost; with too many of those, nothing is begun.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from watches import metrics
from watches.delivery.connections import Connections

# Sent at once by one process.
ATTEMPTS_LIMIT = 4
# An ordinary service answers within a second; a mail server may take its time to look at a letter.
ATTEMPT_SECONDS = 30.0
# Threads that were given up. Each holds a socket and half a megabyte.
STUCK_LIMIT = 8

Job = TypeVar("Job")


class Attempt(Generic[Job]):
    """`result` is set when it has ended: None, or what was raised."""

    def __init__(self, job: Job, work: Callable[[Job], None]) -> None:
        self.job = job
        self.result: BaseException | None = None
        self.begun_at = time.monotonic()
        self._work = work
        self._connections = Connections()
        self.thread = threading.Thread(target=self._run, name="delivery-attempt", daemon=True)

    @property
    def is_late(self) -> bool:
        return time.monotonic() - self.begun_at >= ATTEMPT_SECONDS

    def cut(self) -> None:
        """End its connections: also a receiver that sends a byte now and then does not keep the thread."""
        self._connections.cut()

    def _run(self) -> None:
        try:
            with self._connections.of_this_thread():
                self._work(self.job)
        except BaseException as error:  # noqa: BLE001 - not swallowed: the queue notes it
            self.result = error


class TookTooLong(Exception):
    def __init__(self) -> None:
        super().__init__(f"no answer within {ATTEMPT_SECONDS:g} s")


class Attempts(Generic[Job]):
    """Used by one thread."""

    def __init__(self) -> None:
        self._running: list[Attempt[Job]] = []
        self._stuck: list[Attempt[Job]] = []

    @property
    def jobs(self) -> list[Job]:
        return [attempt.job for attempt in self._running]

    @property
    def held(self) -> list[Job]:
        """Those that run, and those that were given up and whose threads go on: what they hold must not grow."""
        return [attempt.job for attempt in (*self._running, *self._stuck)]

    @property
    def room(self) -> int:
        return 0 if len(self._stuck) >= STUCK_LIMIT else ATTEMPTS_LIMIT - len(self._running)

    def begin(self, job: Job, work: Callable[[Job], None]) -> None:
        attempt = Attempt(job, work)
        self._running.append(attempt)
        attempt.thread.start()

    def ended(self) -> list[tuple[Job, BaseException | None, float]]:
        """Those that have ended since, or whose time is over: with what was raised, and how long they took."""
        self._stuck = [attempt for attempt in self._stuck if attempt.thread.is_alive()]
        done, running = [], []
        for attempt in self._running:
            took_seconds = time.monotonic() - attempt.begun_at
            if not attempt.thread.is_alive():
                done.append((attempt.job, attempt.result, took_seconds))
            elif attempt.is_late:
                attempt.cut()
                self._stuck.append(attempt)
                done.append((attempt.job, TookTooLong(), took_seconds))
            else:
                running.append(attempt)
        self._running = running
        metrics.SENDERS_STUCK.set(len(self._stuck))
        return done
