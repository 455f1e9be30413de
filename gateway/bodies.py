"""Request bodies: bounded reading, and JSON that is read strictly.

Strict means: UTF-8 only, no duplicate keys, no NaN or infinity, no nesting beyond what anybody needs, no NUL
and no lone surrogate, which PostgreSQL or a client could not take.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.asgi import Receive, Scope
from gateway.errors import Refusal

# A publish request holds up to 500 events; everything else is small.
PUBLISH_LIMIT_BYTES = 4 * 1024 * 1024
BODY_LIMIT_BYTES = 256 * 1024
PUBLISH_PATHS = frozenset({"/operator/api/events", "/operator/api/v1/events"})
# Deeper JSON is an attack on somebody's stack.
DEPTH_LIMIT = 32

_CHARSET = re.compile(r"""charset\s*=\s*"?([^\s;"]+)"?""", re.IGNORECASE)


class BodyAborted(Exception):
    """The client went away before its body was complete."""


class BodyTooLarge(Exception):
    """The body is longer than this address takes."""


def body_limit_bytes(path: str, *, with_token: bool = True) -> int:
    """How long a body may be. Whoever brings no token cannot publish, and need not be listened to for long."""
    return PUBLISH_LIMIT_BYTES if path in PUBLISH_PATHS and with_token else BODY_LIMIT_BYTES


async def read_body(scope: Scope, receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is certain, BodyAborted."""
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
    """A receive() that gives the body that was read already, then goes on with the real one."""
    pending: list[Mapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Mapping[str, Any]:
        return pending.pop() if pending else await receive()

    return receive_again


def json_object(body: bytes, *, content_type: str, content_encoding: str) -> dict[str, Any]:
    """The JSON object of a body; an empty body is {}. Raises Refusal: 415, malformed_json, validation_error."""
    if content_encoding and content_encoding.lower() != "identity":
        raise Refusal("unsupported_media_type")
    if not body:
        return {}
    _refuse_media_type(content_type)
    value = _parse(body)
    if not isinstance(value, dict):
        raise Refusal("validation_error", errors={"body": ["must be a JSON object"]})
    _refuse_untransportable(value, body)
    return value


def _refuse_media_type(content_type: str) -> None:
    media_type, _, parameters = content_type.partition(";")
    charset = _CHARSET.search(parameters)
    is_json = media_type.strip(" \t").lower() == "application/json"
    if not is_json or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        raise Refusal("unsupported_media_type")


def _parse(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refusal("malformed_json") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return fields


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _refuse_untransportable(value: Any, body: bytes) -> None:
    """Look into depth and strings, but only where the raw bytes give a reason to."""
    if body.count(b"{") + body.count(b"[") > DEPTH_LIMIT:
        _refuse_depth(value)
    # Only an escape can bring a NUL or a lone surrogate into a string: the bytes themselves were UTF-8.
    if b"\\u" in body:
        _refuse_strings(value)


def _refuse_depth(value: Any) -> None:
    """Go down level by level."""
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [part for item in level for part in _parts(item) if isinstance(part, dict | list)]
        if not level:
            return
    raise Refusal("malformed_json", title=f"The JSON is nested deeper than {DEPTH_LIMIT}.")


def _refuse_strings(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item or not _encodable(item):
                raise Refusal("validation_error", errors={"body": ["holds a NUL or a lone surrogate"]})
        else:
            pending.extend(_parts(item))
            if isinstance(item, dict):
                pending.extend(item)


def _parts(item: Any) -> Iterable[Any]:
    """What is directly inside a JSON value."""
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
