"""Requests to peers, and the event that all of them deliver."""

from benchmarks import marks
from benchmarks.wire import HOST

# Makes about 310 bytes on the wire of it, as our own server does of its smallest event with a mark.
TEXT_BYTES = 288


def text(*, length: int = TEXT_BYTES) -> bytes:
    """A text of that length that holds a mark and nothing that JSON would escape."""
    return marks.PLACE.ljust(length, b".")


def opening(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n\r\n".encode()


def publishing(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
