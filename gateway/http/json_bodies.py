"""JSON of request bodies: bounded before it is parsed, read strictly, and off the event loop when it is large.

Strict means: UTF-8 only, no duplicate keys, no NaN or infinity, no nesting beyond what anything needs, no NUL
and no lone surrogate, which PostgreSQL or a client could not take. Numbers stay as they were written (exact_json).

A body costs by what is in it and not by its length: 4 MiB of `{},` are 1.4 million objects and a second of CPU, and
4 MiB of one text are some milliseconds. So values and depth are counted first, on bytes, at the speed of memory.
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

from gateway.http.errors import ApiError
from vx11_client import exact_json

# Objects, lists, texts, numbers and words, at any depth. Of a full batch each event has 200 of them; this many cost up
# to a quarter of a second of CPU, when all are numbers that no double holds.
PUBLISH_LIMIT_VALUES = 100_000
# Elsewhere nothing that is kept or passed on has more than 16 KiB.
LIMIT_VALUES = 10_000
# Deeper JSON is an attack on a stack.
DEPTH_LIMIT = 32
# What has no more of both is read where the request is, in at most two milliseconds; the rest in a thread.
HERE_LIMIT_BYTES = 64 * 1024
HERE_LIMIT_VALUES = 2_000
# Bytes whose escapes are looked for at a time: between two pieces, other threads may run.
PIECE_BYTES = 256 * 1024

_CHARSET = re.compile(r"""charset\s*=\s*"?([^\s;"]+)"?""", re.IGNORECASE)
_SPACE = b" \t\r\n"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_TOO_DEEP = b"[" * (DEPTH_LIMIT + 1)
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"{}[]")

Made = TypeVar("Made")


async def read_json(
    request: HttpRequest, make: Callable[[dict[str, Any]], Made], *, who: str, limit_values: int = LIMIT_VALUES
) -> Made:
    """What `make` makes of the request's JSON object; in a thread, in `who`'s turn, when it is large.

    Raises ApiError, and what `make` raises.
    """

    def read() -> Made:
        return make(
            json_object(
                request.body,
                content_type=request.META.get("CONTENT_TYPE", ""),
                content_encoding=request.META.get("HTTP_CONTENT_ENCODING", ""),
                limit_values=limit_values,
            )
        )

    return read() if _is_light(request.body) else await _heavy.run(read, who=who)


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
    refuse_dear(body, limit_values=limit_values)
    value = _parse(body)
    if not isinstance(value, dict):
        raise ApiError("validation_error", errors={"body": ["must be a JSON object"]})
    # Only an escape can bring a NUL or a lone surrogate into a string: the bytes themselves were UTF-8.
    if b"\\u" in body:
        _refuse_strings(value)
    return value


def refuse_dear(body: bytes, *, limit_values: int) -> None:
    """Raises ApiError for JSON with more values than that, or nested too deep, without parsing it."""
    openings = body.count(b"{") + body.count(b"[")
    # With what stands in texts, so there are no more values than that.
    is_short = openings + body.count(b",") < limit_values
    if openings <= DEPTH_LIMIT and is_short:
        return
    structure = _structure(body, limit_values)
    if structure is None:
        raise _too_many(limit_values)
    brackets = structure.translate(_SQUARE, _NO_BRACKETS)
    if brackets.count(b"[") != brackets.count(b"]"):
        raise ApiError("malformed_json")
    # Most of what is too deep is so in one go, whatever else it is.
    if _TOO_DEEP in brackets:
        raise _too_deep()
    if not is_short and _count_values(structure) > limit_values:
        raise _too_many(limit_values)
    # Take away the innermost pairs, as often as the JSON may be deep: nothing must be left.
    for _ in range(DEPTH_LIMIT):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise _too_deep()


def _is_light(body: bytes) -> bool:
    """Whether it is read in no time. Signs in texts count too: then it is only read more carefully than needed."""
    if len(body) > HERE_LIMIT_BYTES:
        return False
    return body.count(b",") + body.count(b"{") + body.count(b"[") <= HERE_LIMIT_VALUES


class _Heavy:
    """One thread for what is dear to read. Each caller has one turn at a time, so that none is behind all of another's.

    How many may wait is bounded by the bytes of all bodies that the server holds.
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
    """Without the garbage collector, which would walk what is being built again and again, and stop the loop for it.

    JSON has no cycles: all of it is freed when the last name for it goes.
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
    """The body with a single quote in place of each text; None for more texts than values may have.

    Right as far as the body is JSON; what comes after the first mistake is never parsed.
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
    """Each comma begins one, and so does each bracket that is not closed at once; and the first."""
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
