"""WebSocket wire format of a stream (RFC 6455): the bytes of SSE in, frames out; and what a client may send. No I/O.

A message is one JSON object: `{"id": cursor or null, "event": name or null, "data": {...}}`, with names and data as in
SSE. A comment becomes a ping, and `stream-end` is followed by a close frame with its reason.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

# Section 1.3 of the RFC.
_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# 16 bytes in base64.
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
DATA_OPCODES = frozenset({0x0, TEXT, 0x2})
FINAL = 0x80
# Of a control frame; longer ones are not allowed.
CONTROL_LIMIT_BYTES = 125
# What a close frame says of the end of a stream, by the reason of `stream-end`.
CLOSE_CODES = {
    "max_age": 4000,
    "draining": 4001,
    "expired": 4002,
    "revoked": 4003,
    "rights_changed": 4004,
    "disconnected_by_admin": 4005,
    "slow_consumer": 4006,
    "end_of_log": 4007,
    "error": 4008,
}
OTHER_END = 4099
# The RFC's codes for a client that does not keep to it.
NORMAL, PROTOCOL_ERROR, UNSUPPORTED_DATA, POLICY_VIOLATION = 1000, 1002, 1003, 1008

_framed: tuple[bytes, bytes] = (b"", b"")


class ClientFault(Exception):
    """A client that sends what it may not; `code` is for the close frame."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


class Frame(NamedTuple):
    opcode: int
    payload: bytes


def accept_key(key: str) -> str | None:
    """What the server answers to Sec-WebSocket-Key; None for a text that is no key."""
    if not _KEY.fullmatch(key):
        return None
    return base64.b64encode(hashlib.sha1(key.encode() + _KEY_SUFFIX, usedforsecurity=False).digest()).decode()


def framed(chunk: bytes) -> bytes:
    """The frames of whole SSE messages. The last result is cached, because many streams get the same object."""
    global _framed  # the last result
    if _framed[0] is not chunk:
        _framed = (chunk, b"".join(_frames(chunk)))
    return _framed[1]


def close(code: int, reason: str) -> bytes:
    return frame(CLOSE, code.to_bytes(2) + reason.encode()[: CONTROL_LIMIT_BYTES - 2])


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole message in one frame, not masked: a server's are not."""
    size = len(payload)
    if size <= CONTROL_LIMIT_BYTES:
        head = bytes((FINAL | opcode, size))
    elif size < 1 << 16:
        head = bytes((FINAL | opcode, 126)) + size.to_bytes(2)
    else:
        head = bytes((FINAL | opcode, 127)) + size.to_bytes(8)
    return head + payload


def _frames(chunk: bytes) -> Iterator[bytes]:
    # Data is JSON on one line, so an empty line stands between messages alone.
    for message in chunk.split(b"\n\n"):
        identity = name = data = b""
        for line in message.split(b"\n"):
            field, _, value = line.partition(b": ")
            if field == b"id":
                identity = value
            elif field == b"event":
                name = value
            elif field == b"data":
                data = value
            elif line.startswith(b":"):
                yield frame(PING, b"")
        if data:
            yield frame(TEXT, b'{"id":%b,"event":%b,"data":%b}' % (_text(identity), _text(name), data))
        if name == b"stream-end":
            reason = orjson.loads(data)["reason"]
            yield close(CLOSE_CODES.get(reason, OTHER_END), reason)


def _text(value: bytes) -> bytes:
    """As JSON. Cursors and names have no character that needs an escape."""
    return b'"%b"' % value if value else b"null"


class ClientFrames:
    """Reads what a client sends. It may send control frames alone, so that no more than one of these is ever kept."""

    def __init__(self) -> None:
        self._received = bytearray()

    def receive(self, data: bytes) -> list[Frame]:
        """The frames that are whole now. Raises ClientFault."""
        self._received += data
        found = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def _next(self) -> Frame | None:
        received = self._received
        if len(received) < 2:
            return None
        first, second = received[0], received[1]
        opcode, size = first & 0x0F, second & 0x7F
        if opcode in DATA_OPCODES:
            raise ClientFault(UNSUPPORTED_DATA, "this stream takes no messages")
        is_whole_control = opcode in (CLOSE, PING, PONG) and first & 0xF0 == FINAL and size <= CONTROL_LIMIT_BYTES
        is_masked = bool(second & 0x80)
        if not is_whole_control or not is_masked:
            raise ClientFault(PROTOCOL_ERROR, "not a frame that a client may send")
        if len(received) < 6 + size:
            return None
        mask, masked = received[2:6], received[6 : 6 + size]
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
        del received[: 6 + size]
        return Frame(opcode, payload)
