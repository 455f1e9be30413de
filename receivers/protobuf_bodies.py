"""Protobuf of request bodies: its fields are counted before it is parsed. Pure: no I/O.

An empty message takes two bytes on the wire and a hundred in memory: 4 MiB of them are 270 MB and a fifth of a second.
So messages are counted first (ADR 19). Usually a count of the bytes that can begin one is enough; only if these are too
many, fields are counted one by one.
"""

from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from gateway.http.errors import ApiError
from gateway.http.json_bodies import PUBLISH_LIMIT_VALUES

NOT_VALID = "The body is not valid protobuf of this message."
# No format of a receiver is nested deeper; the parser itself has a limit of 100.
DEPTH_LIMIT = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# For each message: the numbers of its fields that are messages, and what these are.
Shape = dict[int, "Shape"]


def parsed(message_class: Any, body: bytes, *, limit_fields: int = PUBLISH_LIMIT_VALUES) -> Any:
    """The message of a body. Raises ApiError: payload_too_large, bad_request."""
    if _messages_at_most(body) > limit_fields:
        _count_fields(body, _shape_of(message_class.DESCRIPTOR, {}), limit_fields)
    try:
        return message_class.FromString(body)
    except DecodeError:
        raise ApiError("bad_request", title=NOT_VALID) from None


def _messages_at_most(body: bytes) -> int:
    """How many messages there can be: each begins with its number and kind, in one byte or in two.

    Messages that receivers know have numbers up to 6. Their bytes occur in texts too, so this may be too many.
    """
    return sum(body.count(bytes((number << 3 | _BYTES | more,))) for number in range(1, 7) for more in (0, 0x80))


def _shape_of(descriptor: Descriptor, known: dict[str, Shape]) -> Shape:
    if descriptor.full_name not in known:
        shape = known[descriptor.full_name] = {}
        for field in descriptor.fields:
            if field.message_type is not None:
                shape[field.number] = _shape_of(field.message_type, known)
    return known[descriptor.full_name]


def _count_fields(body: bytes, shape: Shape, limit_fields: int) -> None:
    """Raises ApiError if there are more fields than that, at any depth, or if the bytes cannot be read."""
    pending: list[tuple[int, int, Shape, int]] = [(0, len(body), shape, 0)]
    count = 0
    try:
        while pending:
            at, end, shape, depth = pending.pop()
            while at < end:
                count += 1
                if count > limit_fields:
                    title = f"The message has more than {limit_fields} fields."
                    raise ApiError("payload_too_large", title=title)
                tag, at = _varint(body, at)
                number, kind = tag >> 3, tag & 7
                if kind == _VARINT:
                    _, at = _varint(body, at)
                elif kind == _BYTES:
                    size, at = _varint(body, at)
                    if at + size > end or depth >= DEPTH_LIMIT:
                        raise ValueError
                    if (inner := shape.get(number)) is not None:
                        pending.append((at, at + size, inner, depth + 1))
                    at += size
                elif kind in (_FIXED32, _FIXED64):
                    at += 4 if kind == _FIXED32 else 8
                else:
                    raise ValueError
    except (IndexError, ValueError):
        raise ApiError("bad_request", title=NOT_VALID) from None


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    # At most ten bytes are one number.
    for _ in range(10):
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError
