"""JSON of request bodies: bounded before it is parsed, read strictly, and off the event loop when it is large.

Strict means: UTF-8 only, no duplicate keys, no NaN or infinity, no nesting beyond what anything needs, no NUL
and no lone surrogate, which PostgreSQL or a client could not take. Numbers stay as they were written (exact_json).

The cost of a body depends on its content and not on its length: 4 MiB of `{},` are 1.4 million objects and a second of
CPU, and 4 MiB of one text are some milliseconds. So values and depth are counted first, on bytes, at the speed of
memory.
"""

import asyncio
import contextlib
import contextvars
import functools
import gc
import re
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.http import HttpRequest

from gateway.http.content_coding import PackedBody
from gateway.http.errors import ApiError
from vx11_client import exact_json

# Objects, lists, texts, numbers and literals, at any depth. In a full batch each event may have 200 of them. The worst
# case, numbers that no double can hold, takes a quarter of a second of CPU for this many.
PUBLISH_LIMIT_VALUES = 100_000
# For all other bodies: nothing that is stored or forwarded from them has more than 16 KiB.
LIMIT_VALUES = 10_000
# Deeper JSON is an attack on a stack.
DEPTH_LIMIT = 32
# A body within both limits is parsed on the event loop, in at most two milliseconds; a larger one in a thread.
HERE_LIMIT_BYTES = 64 * 1024
HERE_LIMIT_VALUES = 2_000
# Escapes are removed from so many bytes at a time: other threads can run between two pieces.
PIECE_BYTES = 256 * 1024

_CHARSET = re.compile(r"""charset\s*=\s*"?([^\s;"]+)"?""", re.IGNORECASE)
_SPACE = b" \t\r\n"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_TOO_DEEP = b"[" * (DEPTH_LIMIT + 1)
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"{}[]")

Made = TypeVar("Made")


async def read_json(
    request: HttpRequest,
    make: Callable[[dict[str, Any]], Made],
    *,
    who: str,
    limit_values: int = LIMIT_VALUES,
    packed: PackedBody | None = None,
) -> Made:
    """The result of `make` for the request's JSON object. A large body is parsed in a thread, one at a time per `who`.

    With `packed`, the request's body may have a Content-Encoding. Raises ApiError, and what `make` raises.
    """
    content_encoding = "" if packed else request.META.get("HTTP_CONTENT_ENCODING", "")
    packed = packed or PackedBody(request.body, "", len(request.body))

    def read(body: bytes) -> Made:
        content_type = request.META.get("CONTENT_TYPE", "")
        return make(
            json_object(body, content_type=content_type, content_encoding=content_encoding, limit_values=limit_values)
        )

    return await read_packed(packed, read, who=who)


def packed_body(request: HttpRequest, *, limit_bytes: int) -> PackedBody:
    """The body of a request to an address that takes compressed ones, of at most so many bytes when unpacked."""
    return PackedBody(request.body, request.META.get("HTTP_CONTENT_ENCODING", ""), limit_bytes)


async def read_packed(
    packed: PackedBody, read: Callable[[bytes], Made], *, who: str, here_limit_bytes: int = HERE_LIMIT_BYTES
) -> Made:
    """The result of `read` for the unpacked body: made here if that is quick, else in the thread for costly bodies.

    What a compressed body will cost is known only when it is unpacked, so it always goes to the thread.
    Raises ApiError, and what `read` raises.
    """

    def unpack_and_read() -> Made:
        return read(packed.unpacked())

    if not packed.is_packed and len(packed.content) <= here_limit_bytes and _is_light(packed.content):
        return unpack_and_read()
    return await _heavy.run(unpack_and_read, who=who)


def json_object(
    body: bytes, *, content_type: str, content_encoding: str, limit_values: int = LIMIT_VALUES
) -> dict[str, Any]:
    """The JSON object of a body; an empty body is {}.

    Raises ApiError: unsupported_media_type, payload_too_large, malformed_json, validation_error.
    """
    if content_encoding and content_encoding.lower() != "identity":
        raise ApiError("unsupported_media_type")
    if not body:
        return {}
    _refuse_media_type(content_type)
    refuse_costly(body, limit_values=limit_values)
    value = _parse(body)
    if not isinstance(value, dict):
        raise ApiError("validation_error", errors={"body": ["must be a JSON object"]})
    # Only an escape can bring a NUL or a lone surrogate into a string: the bytes themselves were UTF-8.
    if b"\\u" in body:
        _refuse_strings(value)
    return value


def refuse_costly(body: bytes, *, limit_values: int) -> None:
    """Raises ApiError for JSON with more values than that, or nested too deep, without parsing it."""
    openings = body.count(b"{") + body.count(b"[")
    # These also count signs inside texts, so the number of values cannot be larger.
    is_short = openings + body.count(b",") < limit_values
    if openings <= DEPTH_LIMIT and is_short:
        return
    structure = _structure(body, limit_values)
    if structure is None:
        raise _too_many(limit_values)
    brackets = structure.translate(_SQUARE, _NO_BRACKETS)
    if brackets.count(b"[") != brackets.count(b"]"):
        raise ApiError("malformed_json")
    # The usual attack opens all brackets in one run, and this finds it quickly.
    if _TOO_DEEP in brackets:
        raise _too_deep()
    if not is_short and _count_values(structure) > limit_values:
        raise _too_many(limit_values)
    # Remove the innermost pairs, once for each allowed level: nothing must be left.
    for _ in range(DEPTH_LIMIT):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise _too_deep()


def _is_light(body: bytes) -> bool:
    """Whether it can be parsed on the event loop. Signs inside texts count too, so this errs towards the thread."""
    if len(body) > HERE_LIMIT_BYTES:
        return False
    return body.count(b",") + body.count(b"{") + body.count(b"[") <= HERE_LIMIT_VALUES


class _Heavy:
    """One thread that parses costly bodies, one at a time per caller, so that one caller cannot delay all others.

    The number of waiting bodies is bounded by the bytes of all bodies that the server holds.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def run(self, read: Callable[[], Made], *, who: str) -> Made:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="json-reader")
        turn = self._turns.setdefault(who, asyncio.Lock())
        async with turn:
            # With the caller's context: what is logged in the thread carries the request's id.
            call = functools.partial(contextvars.copy_context().run, _uncollected, read)
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)


_heavy = _Heavy()


def _uncollected(read: Callable[[], Made]) -> Made:
    """Runs without the garbage collector, which would scan the growing result repeatedly and stop the loop meanwhile.

    JSON has no cycles, so reference counting frees all of it.
    """
    with _collector_paused():
        return read()


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _refuse_media_type(content_type: str) -> None:
    media_type, _, parameters = content_type.partition(";")
    charset = _CHARSET.search(parameters)
    is_json = media_type.strip(" \t").lower() == "application/json"
    if not is_json or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        raise ApiError("unsupported_media_type")


def _parse(body: bytes) -> Any:
    try:
        return exact_json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ApiError("malformed_json") from None


def _structure(body: bytes, limit_values: int) -> bytes | None:
    """The body with one quote sign in place of each text; None if it has more texts than so many values can have.

    Correct as far as the body is valid JSON; the parser stops at the first mistake anyway.
    """
    if b"\\" in body:
        body = b"".join(_without_escapes(body))
    # A value has at most two texts, a key and itself, of two quotes each.
    if body.count(b'"') > 4 * limit_values:
        return None
    return b'"'.join(body.split(b'"')[::2])


def _without_escapes(body: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(body):
        piece = body[start : start + PIECE_BYTES]
        # Never cut between a backslash and what it escapes.
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece = body[start : start + PIECE_BYTES + 1]
        start += len(piece)
        yield piece.replace(b"\\\\", b"").replace(b'\\"', b"")


def _count_values(structure: bytes) -> int:
    """Each comma begins a value, and so does each bracket that is not closed at once; one more is the first value."""
    structure = structure.translate(None, _SPACE)
    begun = structure.count(b",") + structure.count(b"{") + structure.count(b"[") + 1
    return begun - structure.count(b"{}") - structure.count(b"[]")


def _too_many(limit_values: int) -> ApiError:
    return ApiError("payload_too_large", title=f"The JSON has more than {limit_values} values.")


def _too_deep() -> ApiError:
    return ApiError("malformed_json", title=f"The JSON is nested deeper than {DEPTH_LIMIT}.")


def _refuse_strings(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item or not _encodable(item):
                raise ApiError("validation_error", errors={"body": ["holds a NUL or a lone surrogate"]})
        else:
            pending.extend(_parts(item))
            if isinstance(item, dict):
                pending.extend(item)


def _parts(item: Any) -> Iterable[Any]:
    """The values directly inside a JSON value."""
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
