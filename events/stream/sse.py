"""SSE wire format: values in, bytes out. No Django, no I/O.

https://html.spec.whatwg.org/multipage/server-sent-events.html. Data is JSON on one line (orjson writes none
that holds a raw newline), ids are cursors of `[0-9a-z-]`, names are ours: nothing needs escaping here.
"""

import random
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from events.log import Cursor, CursorGone, Entry

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    # nginx buffers answers without this.
    "X-Accel-Buffering": "no",
    # The address holds a ticket.
    "Referrer-Policy": "no-referrer",
}
# Clients come back spread over these milliseconds, not all at once.
RETRY_MIN_MS, RETRY_MAX_MS = 3_000, 7_000


def retry(milliseconds: int) -> bytes:
    return b"retry: %d\n\n" % milliseconds


def events(epoch: str, entries: Iterable["Entry"]) -> bytes:
    """Operator events, unnamed, each with its cursor as id."""
    prefix = epoch.encode()
    return b"".join([b"id: %b-%d\ndata: %b\n\n" % (prefix, entry.seq, entry.body) for entry in entries])


def message(cursor: "Cursor", data: Mapping[str, Any]) -> bytes:
    """An unnamed event that is not from the log; only `connected` is one."""
    return b"id: %b\ndata: %b\n\n" % (str(cursor).encode(), orjson.dumps(data))


def named(name: str, data: Mapping[str, Any], *, cursor: "Cursor | None" = None) -> bytes:
    """An event of the server about the stream itself. A cursor makes it the client's new position."""
    identity = b"" if cursor is None else b"id: %b\n" % str(cursor).encode()
    return b"%bevent: %b\ndata: %b\n\n" % (identity, name.encode(), orjson.dumps(data))


def keep_alive(count: int) -> bytes:
    """A comment: proxies see traffic, scripts see nothing."""
    return b": keep-alive %d\n\n" % count


def opening(stream_id: str, cursor: "Cursor", *, heartbeat_seconds: float, time: str) -> bytes:
    """The first bytes: how long to wait before coming back, which stream this is, and from where it reads.

    `time` is the server's, by which a browser measures delays from its first event on, however wrong its clock is.
    """
    connected = {
        "type": "connected",
        "message": "SSE stream established",
        "stream_id": stream_id,
        "cursor": str(cursor),
        "heartbeat_sec": heartbeat_seconds,
        "time": time,
    }
    return retry(_retry_ms()) + message(cursor, connected)


def caught_up(cursor: "Cursor") -> bytes:
    """From here on it is live."""
    return named("caught-up", {"cursor": str(cursor)}, cursor=cursor)


def heartbeat(number: int, cursor: "Cursor", *, time: str) -> bytes:
    """A comment for proxies, and an event that moves the cursor of readers whose filter lets little through."""
    return keep_alive(number) + named("heartbeat", {"cursor": str(cursor), "time": time}, cursor=cursor)


def reset(gone: "CursorGone") -> bytes:
    """Events are missing; the stream goes on from the newest."""
    head = gone.head
    data = {"reason": gone.reset, "oldest": str(head.oldest), "newest": str(head.newest)}
    return named("stream-reset", data, cursor=head.newest)


def end(reason: str) -> bytes:
    """The last bytes: why, and how long to wait before coming back."""
    return named("stream-end", {"reason": reason, "retry_ms": _retry_ms()})


def _retry_ms() -> int:
    return random.randint(RETRY_MIN_MS, RETRY_MAX_MS)
