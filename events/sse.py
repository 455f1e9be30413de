"""SSE wire format: values in, bytes out. No Django, no I/O.

https://html.spec.whatwg.org/multipage/server-sent-events.html. Data is JSON on one line (orjson writes none
that holds a raw newline), ids are cursors of `[0-9a-z-]`, names are ours: nothing needs escaping here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from events.cursors import Cursor
from events.entries import Entry

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    # nginx buffers answers unless told not to.
    "X-Accel-Buffering": "no",
    # The address holds a ticket.
    "Referrer-Policy": "no-referrer",
}


def retry(milliseconds: int) -> bytes:
    return b"retry: %d\n\n" % milliseconds


def events(epoch: str, entries: Iterable[Entry]) -> bytes:
    """Operator events, unnamed, each with its cursor as id."""
    prefix = epoch.encode()
    return b"".join([b"id: %b-%d\ndata: %b\n\n" % (prefix, entry.seq, entry.body) for entry in entries])


def message(cursor: Cursor, data: Mapping[str, Any]) -> bytes:
    """An unnamed event that is not from the log; only `connected` is one."""
    return b"id: %b\ndata: %b\n\n" % (str(cursor).encode(), orjson.dumps(data))


def named(name: str, data: Mapping[str, Any], *, cursor: Cursor | None = None) -> bytes:
    """What the server says about the stream itself. A cursor makes it the client's new position."""
    identity = b"" if cursor is None else b"id: %b\n" % str(cursor).encode()
    return b"%bevent: %b\ndata: %b\n\n" % (identity, name.encode(), orjson.dumps(data))


def keep_alive(count: int) -> bytes:
    """A comment: proxies see traffic, scripts see nothing."""
    return b": keep-alive %d\n\n" % count
