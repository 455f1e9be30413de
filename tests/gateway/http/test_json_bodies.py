"""What a JSON body may cost: counted before it is parsed, read beside the loop, in turns."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.errors import ApiError
from gateway.http.json_bodies import (
    DEPTH_LIMIT,
    HERE_LIMIT_BYTES,
    LIMIT_VALUES,
    PIECE_BYTES,
    PUBLISH_LIMIT_VALUES,
    json_object,
    read_json,
    refuse_costly,
)

MEBIBYTE = 1024 * 1024
texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.sampled_from(['"', "\\", '\\"', ",", "[{", "}]", ":", " "]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=60,
)
Request = Any


def refusal(body: bytes, *, limit_values: int = LIMIT_VALUES) -> str:
    try:
        refuse_costly(body, limit_values=limit_values)
    except ApiError as refused:
        return refused.reason
    return ""


def count(value: object) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, inside))


def depth(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


@given(value=values, indent=st.sampled_from([None, 1]), escaped=st.booleans())
def test_n10_values_are_counted_exactly_without_parsing(value: Any, indent: int | None, escaped: bool) -> None:  # noqa: FBT001 - drawn
    # Enough brackets beside each other that they are looked at.
    document = {"known": [[]] * (DEPTH_LIMIT + 1), "more": value}
    body = json.dumps(document, indent=indent, ensure_ascii=escaped).encode()
    there = count(document)
    assert refusal(body, limit_values=there) == ("malformed_json" if depth(document) > DEPTH_LIMIT else "")
    assert refusal(body, limit_values=there - 1) != ""


@pytest.mark.parametrize("inner", [[], {}, [""], {"a": 1}, ["[", "]"], {"}": "{"}])
@pytest.mark.parametrize("levels", [DEPTH_LIMIT - 3, DEPTH_LIMIT - 2, DEPTH_LIMIT])
def test_n10_depth_is_counted_exactly_without_parsing(inner: object, levels: int) -> None:
    deep = inner
    for level in range(levels):
        deep = [deep, "x", []] if level % 2 else {"[": deep, "b": {}}
    document = {"a": deep, "b": [[]] * DEPTH_LIMIT}
    assert refusal(json.dumps(document).encode()) == ("malformed_json" if depth(document) > DEPTH_LIMIT else "")


@pytest.mark.parametrize("shift", range(4))
def test_n10_an_escape_on_the_border_of_two_pieces_hides_nothing(shift: int) -> None:
    filling = "x" * (PIECE_BYTES - 8 + shift)
    body = b'{"a":"%s\\\\\\"","b":[%s1]}' % (filling.encode(), b"1," * 99)
    assert refusal(body, limit_values=103) == ""
    assert refusal(body, limit_values=102) == "payload_too_large"


def full_of(item: bytes, size_bytes: int) -> bytes:
    return b'{"payload":{"a":[' + (item + b",") * (size_bytes // (len(item) + 1)) + item + b"]}}"


DEAR = {
    "objects": lambda size: full_of(b"{}", size),
    "lists": lambda size: full_of(b"[]", size),
    "numbers": lambda size: full_of(b"1", size),
    "reals": lambda size: full_of(b"1.5", size),
    "texts": lambda size: full_of(b'""', size),
    "nested": lambda size: full_of(b"[[{}]]", size),
    "keys": lambda size: b"{" + b",".join(b'"%d":1' % key for key in range(size // 12)) + b"}",
    "deep": lambda size: b'{"a":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}",
    "deep objects": lambda size: b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6),
    "long numbers": lambda size: full_of(b"1" * 4000, size),
    "long key": lambda size: b'{"' + b"k" * size + b'":1}',
    "escapes": lambda size: b'{"a":"' + b"\\\\" * (size // 2) + b'"}',
    "escaped quotes": lambda size: b'{"a":"' + b'\\"' * (size // 2) + b'"}',
    "a long fraction": lambda size: b'{"a":0.' + b"1" * size + b"}",
    "only opened": lambda size: b"[" * size,
    "only quotes": lambda size: b'"' * size,
    "commas": lambda size: b"{" + b"," * size,
}


def cpu_seconds(body: bytes) -> float:
    started = time.thread_time()
    with contextlib.suppress(ApiError):
        json_object(body, content_type="application/json", content_encoding="", limit_values=PUBLISH_LIMIT_VALUES)
    return time.thread_time() - started


@pytest.mark.parametrize("kind", DEAR)
def test_n10_no_body_costs_much_more_than_a_text_of_its_length(kind: str) -> None:
    body = DEAR[kind](4 * MEBIBYTE - 1024)
    plain = b'{"payload":{"a":"' + b"x" * len(body) + b'"}}'
    for _ in range(3):
        if cpu_seconds(body) < 12 * cpu_seconds(plain):
            return
    raise AssertionError(f"4 MiB of {kind} cost more than 12 times what 4 MiB of text do")


# Beside the loop


def asking(body: bytes) -> Request:
    return RequestFactory().post("/operator/api/events", body, content_type="application/json")


def heavy(fields: int = 30_000) -> bytes:
    return json.dumps({"payload": {str(number): {} for number in range(fields)}}).encode()


async def reading(body: bytes, *, who: str = "one", make: Callable[[Any], Any] = len) -> Any:
    return await read_json(asking(body), make, who=who, limit_values=PUBLISH_LIMIT_VALUES)


async def test_n10_the_loop_goes_on_while_a_large_body_is_read() -> None:
    turns = 0

    def look(value: dict[str, Any]) -> int:
        # In the thread: what the loop has done until now; then wait until it has done more.
        seen, deadline = turns, time.monotonic() + 10
        while turns <= seen + 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        return turns - seen

    task = asyncio.create_task(reading(heavy(), make=look))
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    assert await task > 2


async def test_n10_a_caller_with_many_large_bodies_has_one_turn_at_a_time() -> None:
    order: list[str] = []

    async def read(who: str) -> None:
        await reading(heavy(), who=who)
        order.append(who)

    greedy = [asyncio.create_task(read("greedy")) for _ in range(6)]
    await asyncio.sleep(0)
    await asyncio.gather(read("modest"), *greedy)
    assert "modest" in order[:3], f"the other's bodies came first: {order}"


async def test_what_is_wrong_with_a_large_body_is_said_as_of_a_small_one() -> None:
    for body, reason in ((heavy()[:-1], "malformed_json"), (b"[" + b" " * HERE_LIMIT_BYTES + b"]", "validation_error")):
        with pytest.raises(ApiError) as raised:
            await reading(body)
        assert raised.value.reason == reason


async def test_a_caller_that_leaves_while_its_body_is_read_leaves_its_turn() -> None:
    leaving = asyncio.create_task(reading(heavy()))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await reading(heavy()) == 1
