"""What the server says about a stream itself, as bytes of that stream."""

import random

from django.conf import settings

from events import sse
from events.cursors import Cursor, CursorGone
from events.entries import timestamp
from ledger import clock

# Clients come back spread over these seconds, not all at once.
RETRY_LEAST_MS, RETRY_MOST_MS = 3000, 7000


def opening(stream_id: str, cursor: Cursor) -> bytes:
    """The first words: how long to wait before coming back, who this is, and from where it reads."""
    connected = {
        "type": "connected",
        "message": "SSE stream established",
        "stream_id": stream_id,
        "cursor": str(cursor),
        "heartbeat_sec": settings.HEARTBEAT_SECONDS,
        # By this a browser measures delays from its first event on, however wrong its clock is.
        "time": timestamp(clock.now()),
    }
    return sse.retry(_retry_ms()) + sse.message(cursor, connected)


def caught_up(cursor: Cursor) -> bytes:
    """From here on it is live."""
    return sse.named("caught-up", {"cursor": str(cursor)}, cursor=cursor)


def heartbeat(number: int, cursor: Cursor) -> bytes:
    """A comment for proxies, and an event that moves the cursor of readers whose filter lets little through."""
    data = {"cursor": str(cursor), "time": timestamp(clock.now())}
    return sse.keep_alive(number) + sse.named("heartbeat", data, cursor=cursor)


def reset(gone: CursorGone) -> bytes:
    """Events are missing; the stream goes on from the newest."""
    head = gone.head
    data = {"reason": gone.reset, "oldest": str(head.oldest), "newest": str(head.newest)}
    return sse.named("stream-reset", data, cursor=head.newest)


def goodbye(reason: str) -> bytes:
    """The last words: why, and how long to wait before coming back."""
    return sse.named("stream-end", {"reason": reason, "retry_ms": _retry_ms()})


def _retry_ms() -> int:
    return random.randint(RETRY_LEAST_MS, RETRY_MOST_MS)
