"""Events that wait for their delivery, bounded by count and by bytes. Pure; not safe for threads."""

import collections
from collections.abc import Sequence

from vx11_client.publishing.delivery import BATCH_LIMIT_BYTES, PendingEvent
from vx11_client.wire_limits import BATCH_LIMIT_EVENTS

QUEUE_LIMIT_EVENTS = 10_000
# As many bytes as four full requests.
QUEUE_LIMIT_BYTES = 16 * 1024 * 1024


class PendingQueue:
    """First in, first out. A batch stays in the queue until it is settled, so that a failure loses nothing."""

    def __init__(self, *, limit_events: int = QUEUE_LIMIT_EVENTS, limit_bytes: int = QUEUE_LIMIT_BYTES) -> None:
        self._limit_events = limit_events
        self._limit_bytes = limit_bytes
        self._events: collections.deque[PendingEvent] = collections.deque()
        self._size_bytes = 0
        self.taken_count = 0
        """Events that were ever taken in; with `settled_count` it says what a flush has to wait for."""
        self.settled_count = 0

    def __len__(self) -> int:
        return len(self._events)

    def offer(self, event: PendingEvent) -> bool:
        """Take the event in; False, and nothing changes, when there is no room."""
        size_bytes = self._size_bytes + len(event.body)
        if len(self._events) >= self._limit_events or (self._events and size_bytes > self._limit_bytes):
            return False
        self._events.append(event)
        self._size_bytes = size_bytes
        self.taken_count += 1
        return True

    def has_full_batch(self) -> bool:
        return len(self._events) >= BATCH_LIMIT_EVENTS or self._size_bytes >= BATCH_LIMIT_BYTES

    def first_batch(self) -> list[PendingEvent]:
        """The oldest events that fit into one request; they stay until settle()."""
        batch: list[PendingEvent] = []
        size_bytes = 0
        for event in self._events:
            size_bytes += len(event.body) + 1
            if batch and (size_bytes > BATCH_LIMIT_BYTES or len(batch) >= BATCH_LIMIT_EVENTS):
                break
            batch.append(event)
        return batch

    def settle(self, batch: Sequence[PendingEvent]) -> None:
        """The first events, which are `batch`, were delivered or refused."""
        for _ in batch:
            self._size_bytes -= len(self._events.popleft().body)
        self.settled_count += len(batch)

    def emptied(self) -> "PendingQueue":
        """A new queue with the same limits."""
        return PendingQueue(limit_events=self._limit_events, limit_bytes=self._limit_bytes)

    def events(self) -> list[PendingEvent]:
        return list(self._events)
