"""A thread that delivers what other threads put into a bounded queue. No Django.

The thread starts with the first event and is a daemon: it never keeps a program from ending. After a fork the child
begins with an empty queue and a thread of its own; the parent delivers what was in the queue.
"""

import os
import threading
import time
import weakref
from typing import Any

import httpx2

from vx11_client.backoff import Backoff
from vx11_client.errors import PublisherClosed
from vx11_client.http_answers import ServerRefused
from vx11_client.publishing.delivery import EVENTS_PATH, Delivery, DeliveryReport, PendingEvent, client_options
from vx11_client.publishing.pending_queue import PendingQueue

# How often a refused credential is tried again by what keeps trying: a person has to correct something meanwhile.
REFUSED_WAIT_SECONDS = 30.0
CLOSED_TEXT = "the publisher is closed: use it inside its `with` block, or make a new one"


class BackgroundReport(DeliveryReport):
    """Receives what happens in the background; called in the thread that delivers."""

    def refused_for_good(self, error: ServerRefused) -> None:
        """The credential or the address is refused."""

    def settled(self) -> None:
        """A batch has left the queue, which has room again."""


class BackgroundDelivery:
    """Delivers in order, for as long as it takes. With `keep_trying` even while the server refuses the token."""

    def __init__(
        self,
        *,
        url: str,
        token: str,
        queue: PendingQueue,
        report: BackgroundReport,
        linger_seconds: float,
        keep_trying: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self._options: dict[str, Any] = client_options(url=url, token=token)
        self._report = report
        self._linger_seconds = linger_seconds
        self._keep_trying = keep_trying
        self._backoff = backoff or Backoff()
        self._error: ServerRefused | None = None
        self._begin(queue)
        ours = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: (ours() or _nothing)())

    def _begin(self, queue: PendingQueue) -> None:
        # Reentrant: a signal handler of the program may log while this thread holds the lock.
        self._changed = threading.Condition(threading.RLock())
        self._queue = queue
        self._thread: threading.Thread | None = None
        self._client: httpx2.Client | None = None
        self._since = 0.0
        self._flushes = 0
        self._flush_goal = 0
        self._stop_at = float("inf")
        self.dropped_count = 0

    @property
    def client(self) -> httpx2.Client:
        """The connections to the server, made when they are first needed. Threads may share it."""
        with self._changed:
            if self._client is None:
                self._client = httpx2.Client(**self._options)
            return self._client

    def _after_fork(self) -> None:
        self._begin(self._queue.emptied())

    def offer(self, event: PendingEvent) -> bool:
        """Take the event, without waiting; False when the queue is full. Raises ServerRefused after a refusal."""
        with self._changed:
            return self._offer(event)

    def put(self, event: PendingEvent, *, timeout_seconds: float | None) -> bool:
        """As offer(), but waits for room so long (None: without end)."""
        with self._changed:
            return self._changed.wait_for(lambda: self._offer(event), timeout_seconds)

    def count_dropped(self) -> None:
        """One more event was not taken, and never will be."""
        with self._changed:
            self.dropped_count += 1

    def flush(self, *, timeout_seconds: float | None) -> bool:
        """Wait until all that was taken before is settled; False when the time was over.

        What waits for its next try is tried at once. Raises ServerRefused.
        """
        with self._changed:
            goal = self._flush_goal = self._queue.taken_count
            self._flushes += 1
            if len(self._queue) and not self._error:
                self._start()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_settled(goal) or self._error, timeout_seconds)
            if not self._is_settled(goal) and self._error:
                raise self._error
            return self._is_settled(goal)

    def waiting(self) -> list[PendingEvent]:
        """The events that are not settled, in order."""
        with self._changed:
            return self._queue.events()

    def close(self, *, join_seconds: float) -> list[PendingEvent]:
        """Begin no other try, and wait so long for the one that runs; returns what is not settled, in order."""
        with self._changed:
            self._stop_at = time.monotonic()
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(join_seconds)
        with self._changed:
            if self._client is not None and (thread is None or not thread.is_alive()):
                self._client.close()
            return self._queue.events()

    def _offer(self, event: PendingEvent) -> bool:
        if self._error:
            raise self._error
        if self._is_closing():
            raise PublisherClosed(CLOSED_TEXT)
        if not self._queue.offer(event):
            return False
        if len(self._queue) == 1:
            self._since = time.monotonic()
        self._start()
        if len(self._queue) == 1 or self._queue.has_full_batch():
            self._changed.notify_all()
        return True

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="vx11-client", daemon=True)
            self._thread.start()

    def owns(self, thread_id: int | None) -> bool:
        """Whether it is the thread that delivers: what it logs must not become an event again."""
        return self._thread is not None and self._thread.ident == thread_id

    def _is_settled(self, goal: int) -> bool:
        return self._queue.settled_count >= goal

    def _run(self) -> None:
        while batch := self._next_batch():
            if not self._deliver(batch):
                break
            with self._changed:
                self._queue.settle(batch)
                self._changed.notify_all()
            self._report.settled()
        if self._is_closing():
            self.client.close()

    def _next_batch(self) -> list[PendingEvent]:
        """Waits for events, and for more of them until the batch is full or its time is over; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or self._is_closing())
            left = self._since + self._linger_seconds - time.monotonic()
            self._changed.wait_for(self._must_go, max(0.0, left))
            return self._queue.first_batch()

    def _must_go(self) -> bool:
        return self._queue.has_full_batch() or not self._is_settled(self._flush_goal) or self._is_closing()

    def _deliver(self, batch: list[PendingEvent]) -> bool:
        """Until all of the batch is settled; False when the program ends or the credential is refused before."""
        delivery = Delivery(batch, backoff=self._backoff, report=self._report)
        while (body := delivery.next_body()) is not None:
            with self._changed:
                flushes = self._flushes
            try:
                wait_seconds = delivery.answered(self.client.post(EVENTS_PATH, content=body))
            except httpx2.RequestError as error:
                wait_seconds = delivery.failed(error)
            except ServerRefused as refused:
                self._report.refused_for_good(refused)
                if not self._keep_trying:
                    self._give_up(refused)
                    return False
                wait_seconds = REFUSED_WAIT_SECONDS
            if wait_seconds and not self._wait(wait_seconds, flushes):
                return False
        return True

    def _give_up(self, refused: ServerRefused) -> None:
        with self._changed:
            self._error = refused
            self._changed.notify_all()

    def _wait(self, seconds: float, flushes: int) -> bool:
        """Whether there is time for another try. A flush that came meanwhile ends the wait."""
        with self._changed:
            end = time.monotonic() + seconds
            while (left := min(end, self._stop_at) - time.monotonic()) > 0 and self._flushes == flushes:
                self._changed.wait(left)
            return time.monotonic() < self._stop_at

    def _is_closing(self) -> bool:
        return self._stop_at != float("inf")


def _nothing() -> None:
    """For the fork of a program that has deleted its publisher."""
