"""Request bodies: their maximum length, and reading within it. json_bodies reads their content."""

from collections.abc import Mapping
from typing import Any

from gateway.http.asgi import Receive, Scope

# A publish request holds up to 500 events; everything else is small.
PUBLISH_LIMIT_BYTES = 4 * 1024 * 1024
BODY_LIMIT_BYTES = 256 * 1024
PUBLISH_PATHS = frozenset({"/operator/api/events", "/operator/api/v1/events"})
# Where other programs' formats are received: as much as where our own is.
PUBLISH_PREFIXES = ("/operator/api/ingest/", "/operator/api/v1/ingest/")


class BodyAborted(Exception):
    """The client went away before its body was complete."""


class BodyTooLarge(Exception):
    """The body is longer than this address takes."""


def body_limit_bytes(path: str, *, with_token: bool = True) -> int:
    """The maximum length of a body. A caller without a token cannot publish, so it gets the smaller limit."""
    publishes = path in PUBLISH_PATHS or path.startswith(PUBLISH_PREFIXES)
    return PUBLISH_LIMIT_BYTES if publishes and with_token else BODY_LIMIT_BYTES


async def read_body(scope: Scope, receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as the limit is exceeded, and BodyAborted."""
    for name, value in scope["headers"]:
        # Python refuses to read numbers of thousands of digits.
        if name == b"content-length" and value.isdigit() and (len(value) > 18 or int(value) > limit_bytes):
            raise BodyTooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyAborted
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit_bytes:
            raise BodyTooLarge
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def replay(body: bytes, receive: Receive) -> Receive:
    """A receive() that returns the body which was read already, then continues with the real one."""
    pending: list[Mapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Mapping[str, Any]:
        return pending.pop() if pending else await receive()

    return receive_again
