"""A lane: one bounded way to the database. A few threads that keep their connections, and a queue in front of them.

Callers of one kind share a lane and wait for their own kind alone; within it, turns go round by who asks. A call that
its caller does not wait for any more is taken out of the queue, or its statement is interrupted.
"""

import asyncio
import contextvars
import functools
import select
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from django.db import connections

from ledger import interruption
from ledger.faults import DATABASE_FAULTS, LedgerBusy, LedgerUnavailable
from ledger.turns import Job, Turns

# Callers are promised an answer within two seconds.
LANE_WAIT_SECONDS = 1.7
# A call that began so late had too little of that time left for what it asks.
LATE_SECONDS = LANE_WAIT_SECONDS / 2
# What may wait in one lane; more would only time out.
QUEUE_LIMIT_CALLS = 2_000
# A call that does not end within this time after its statement was interrupted waits for a database that is gone: its
# connection is cut.
CUT_SECONDS = 5.0
# What a page asks may take a minute, which is longer than PostgreSQL lets a statement run.
CUT_BROUGHT_SECONDS = 60.0
# Of one caller, so that there is room for others; a lane may have another limit.
QUEUE_LIMIT_CALLS_EACH = 500
# Kinds of what waits: calls, requests of known callers, requests of others.
KINDS = 3

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def give_way(pause_seconds: float = 0.0) -> None:
    """Let other threads of the process run: one that computes keeps the interpreter for as long as it is let.

    Without a pause this thread often has the interpreter again before another one that waits for it has woken up. By a
    call of the system: time.sleep() asks clocks, and fails while one of them is changed.
    """
    select.select((), (), (), pause_seconds)


class GivenUp(Exception):
    """The caller does not wait any more: no further statement is made for it."""


class _Thread(Executor):
    """One thread of a lane with its connection. As an executor it runs what a request that has a place here brings."""

    def __init__(self, lane: "Lane", name: str) -> None:
        self._lane = lane
        self.brought: deque[Job] = deque()
        self.running: Job | None = None
        # Whether a request has its place here.
        self.taken = False
        self.closing = False
        self._connection: Any = None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        call = functools.partial(function, *args, **kwargs)
        return self._lane.bring(self, Job(lambda _job: call(), "", lasts_seconds=CUT_BROUGHT_SECONDS))

    def interrupt(self, job: Job) -> None:
        """Break off the statement that is under way for this job, if there is one."""
        if self._connection is not None:
            interruption.interrupt(self._connection, lambda: self.running is job)

    def cut(self) -> None:
        if self._connection is not None:
            interruption.cut(self._connection)

    def _run(self) -> None:
        self._connection = connections["default"]
        self._connection.execute_wrappers.append(self._unless_given_up)
        try:
            while (job := self._lane.next_for(self)) is not None:
                self._perform(job)
                # Not kept until the next one comes: it may hold a page of events.
                del job
        finally:
            connections.close_all()

    def _perform(self, job: Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            self._lane.done(self)
            return
        try:
            result = job.call(job)
        except BaseException as error:  # noqa: BLE001 - not swallowed: it is raised where the call was made
            self._lane.done(self)
            job.future.set_exception(error)
        else:
            self._lane.done(self)
            job.future.set_result(result)

    def _unless_given_up(self, execute: Callable[..., Any], *statement: Any) -> Any:
        if self.running is not None and self.running.given_up:
            raise GivenUp
        return execute(*statement)


class Place:
    """A request's place in a lane: its synchronous parts run in `executor`, one thread, and no other request's before
    it is released."""

    def __init__(self, lane: "Lane", thread: _Thread, *, guest: bool) -> None:
        self._lane = lane
        self._thread = thread
        self._guest = guest
        self._released = False
        self.executor: Executor = thread

    def release(self) -> None:
        """The next request may have it. Calls that this request still makes run between those of others."""
        if not self._released:
            self._released = True
            self._lane.give_back(self._thread, guest=self._guest)


class Lane:
    """The threads and the queue. `guest_places`: how many of the threads serve callers that are not known, at most.
    `limit_each`: how many calls of one caller may wait.
    """

    def __init__(
        self, name: str, *, threads: int, guest_places: int = 0, limit_each: int = QUEUE_LIMIT_CALLS_EACH
    ) -> None:
        self.name = name
        self.threads = threads
        self._limit_each = limit_each
        self._last_kind = 0
        self._guest_places = guest_places
        self._changed = threading.Condition()
        self._threads: list[_Thread] = []
        self._calls, self._places, self._guests = Turns(), Turns(), Turns()
        self._guests_served = 0

    @property
    def waiting(self) -> int:
        """How many calls and requests wait for a thread."""
        return len(self._calls) + len(self._places) + len(self._guests)

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The function's result, in a thread of this lane. Raises LedgerUnavailable after a fault or the wait."""
        return await self.run_for("", function, *args, **kwargs)

    async def run_for(
        self, who: str, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The same; turns go round by `who`."""
        # With the caller's context: what is logged in the thread carries the request's id.
        context = contextvars.copy_context()
        call = functools.partial(context.run, functools.partial(function, *args, **kwargs))
        result: Result = await self._wait_for(Job(functools.partial(_read_twice, call), who), self._calls)
        return result

    @asynccontextmanager
    async def place(self, who: str, *, guest: bool = False) -> AsyncIterator[Place]:
        """A thread for a request whose synchronous parts must share one. Raises LedgerBusy after the wait."""
        job = Job(lambda job: job.thread, who)
        try:
            thread = await self._wait_for(job, self._guests if guest else self._places)
        except BaseException:
            if job.thread is not None:
                # The thread was given at the moment at which the caller left.
                self.give_back(job.thread, guest=guest)
            raise
        place = Place(self, thread, guest=guest)
        try:
            yield place
        finally:
            place.release()

    def close(self) -> None:
        """Close the threads and their connections; the next call starts new ones."""
        with self._changed:
            ending, self._threads = self._threads, []
            self._guests_served = 0
            for thread in ending:
                thread.closing = True
            self._changed.notify_all()
        for thread in ending:
            thread.thread.join(LANE_WAIT_SECONDS)

    # For the threads of this lane

    def next_for(self, thread: _Thread) -> Job | None:
        """What this thread does next, waiting for it; None when the lane closes."""
        with self._changed:
            while (job := self._take(thread)) is None:
                if thread.closing:
                    return None
                self._changed.wait()
            job.thread, thread.running = thread, job
            job.began_at = time.monotonic()
            job.cut_at = job.began_at + job.lasts_seconds
            return job

    def _take(self, thread: _Thread) -> Job | None:
        # A request that has begun goes on first.
        if thread.brought:
            return thread.brought.popleft()
        if thread.taken:
            return self._calls.take() if self._calls else None
        # Each kind has its turn, so that many calls of one kind cannot keep another waiting.
        for _ in range(KINDS):
            self._last_kind = (self._last_kind + 1) % KINDS
            if (job := self._take_of_kind(self._last_kind, thread)) is not None:
                return job
        return None

    def _take_of_kind(self, kind: int, thread: _Thread) -> Job | None:
        if kind == 0:
            return self._calls.take() if self._calls else None
        if kind == 1 and self._places:
            thread.taken = True
            return self._places.take()
        if kind == 2 and self._guests and self._guests_served < self._guest_places:
            thread.taken = True
            self._guests_served += 1
            return self._guests.take()
        return None

    def done(self, thread: _Thread) -> None:
        with self._changed:
            thread.running = None

    def bring(self, thread: _Thread, job: Job) -> "Future[Any]":
        with self._changed:
            if thread.closing:
                raise RuntimeError("this lane was closed")
            thread.brought.append(job)
            self._changed.notify_all()
        return job.future

    def give_back(self, thread: _Thread, *, guest: bool) -> None:
        with self._changed:
            thread.taken = False
            if not thread.closing:
                self._guests_served -= guest
            self._changed.notify_all()

    # The queue

    async def _wait_for(self, job: Job, turns: Turns) -> Any:
        self._put(job, turns)
        late = time.monotonic() + LATE_SECONDS
        try:
            async with asyncio.timeout(LANE_WAIT_SECONDS):
                return await asyncio.wrap_future(job.future)
        except TimeoutError:
            if job.thread is None or job.began_at > late:
                # It is the queue that took the time, and not the database.
                raise LedgerBusy(f"too much waits for {self.name}") from None
            raise LedgerUnavailable("the database took too long to answer") from None
        finally:
            self._give_up(job, turns)

    def _put(self, job: Job, turns: Turns) -> None:
        with self._changed:
            if len(turns) >= QUEUE_LIMIT_CALLS or turns.of(job.who) >= self._limit_each:
                raise LedgerBusy(f"too much waits for {self.name}")
            turns.put(job)
            self._cut_what_hangs()
            while len(self._threads) < self.threads:
                self._threads.append(_Thread(self, f"ledger-{self.name}-{len(self._threads)}"))
            self._changed.notify_all()

    def _cut_what_hangs(self) -> None:
        """Called whenever there is something to do: a database that is gone would keep these threads for good."""
        now = time.monotonic()
        for thread in self._threads:
            if thread.running is not None and thread.running.cut_at <= now:
                thread.running.cut_at = now + CUT_SECONDS
                thread.cut()

    def _give_up(self, job: Job, turns: Turns) -> None:
        """The caller has left: take the job out of the queue, or interrupt it. Nothing happens if it is done."""
        with self._changed:
            if job.thread is None:
                turns.remove(job)
            elif job.thread.running is job:
                job.given_up = True
                job.cut_at = time.monotonic() + CUT_SECONDS
                # Under the lock, so that it cannot hit what this thread does next.
                job.thread.interrupt(job)


def _read_twice(read: Callable[[], Result], job: Job) -> Result:
    """Read, and once more on a new connection if the old one failed: it may have died while idle."""
    try:
        return read()
    except DATABASE_FAULTS:
        connections.close_all()
        if job.given_up:
            raise GivenUp from None
    try:
        return read()
    except DATABASE_FAULTS as error:
        connections.close_all()
        raise LedgerUnavailable(f"the database cannot be read: {error}") from error
