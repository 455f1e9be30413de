"""Request bodies: bounded, and JSON read as strictly as every reader after us needs it."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.bodies import (
    BODY_LIMIT_BYTES,
    PUBLISH_LIMIT_BYTES,
    BodyAborted,
    BodyTooLarge,
    body_limit_bytes,
    read_body,
    replay,
)
from gateway.http.errors import ApiError
from gateway.http.json_bodies import DEPTH_LIMIT, json_object

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def parse(body: bytes, *, content_type: str = "application/json", content_encoding: str = "") -> dict[str, Any]:
    return json_object(body, content_type=content_type, content_encoding=content_encoding)


def refused(body: bytes, **headers: str) -> str:
    with pytest.raises(ApiError) as raised:
        parse(body, **headers)
    return raised.value.reason


@given(value=st.dictionaries(texts, values, max_size=5), escaped=st.booleans())
def test_a_json_object_is_read_as_it_was_written(value: dict[str, Any], escaped: bool) -> None:  # noqa: FBT001 - drawn
    assert parse(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(body=st.binary(max_size=200))
def test_whatever_comes_is_an_object_or_one_of_the_refusals_and_can_be_written_again(body: bytes) -> None:
    try:
        value = parse(body)
    except ApiError as refusal:
        reason = refusal.reason
    else:
        reason = json.dumps(value) and ""
    assert reason in ("", "malformed_json", "validation_error")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json"])
def test_an_empty_body_is_an_empty_object_whatever_its_type(content_type: str) -> None:
    assert parse(b"", content_type=content_type) == {}


@pytest.mark.parametrize(
    "body",
    [b"{", b"nonsense", b" ", b'{"a":1,}', b"{'a':1}", b'{"a":1}{"b":2}', b'\xef\xbb\xbf{"a":1}', b'{"a":"\xff"}']
    + [b'{"a":"\xed\xa0\x80"}', '{"a":1}'.encode("utf-16"), b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}']
    + [
        b'{"a":1e999}',
        b'{"a":"\n"}',
        b'{"a":"\0"}',
        b'{"a":1,"a":1}',
        b'{"x":{"a":1,"a":2}}',
        b'{"a":%s}' % (b"9" * 5000),
    ]
    + [b"[" * 100_000, b'{"a":' * 20_000, b'{"a":' + b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT + b"}"],
)
def test_what_is_not_strict_json_is_malformed(body: bytes) -> None:
    assert refused(body) == "malformed_json"


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"3", b"null", b"true"])
def test_json_that_is_no_object_is_a_validation_error(body: bytes) -> None:
    assert refused(body) == "validation_error"


@pytest.mark.parametrize(
    "body",
    [rb'{"a":"\u0000"}', rb'{"\u0000":1}', rb'{"a":"\ud800"}', rb'{"\udfff":1}', rb'{"a":[{"b":["x\udc00"]}]}'],
)
def test_s05_text_that_not_everybody_can_store_is_a_validation_error(body: bytes) -> None:
    assert refused(body) == "validation_error"


def test_surrogates_in_a_pair_are_one_character() -> None:
    assert parse(rb'{"a":"\ud83d\ude00"}') == {"a": "😀"}


def test_nesting_up_to_the_limit_is_read() -> None:
    body = b'{"a":' + b"[" * (DEPTH_LIMIT - 1) + b"]" * (DEPTH_LIMIT - 1) + b"}"
    assert parse(body)["a"]


def test_many_objects_beside_each_other_are_not_deep() -> None:
    assert len(parse(orjson.dumps({"events": [{"a": {}}] * 500}))["events"]) == 500


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"']
    + ["application/json ; charset=utf8", "application/json; other=x"],
)
def test_json_in_utf_8_is_taken_however_it_is_said(content_type: str) -> None:
    assert parse(b'{"a":1}', content_type=content_type) == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*"]
    + ["application/jsonx", "application/problem+json", "application/json, text/html"]
    + [f"application/json; charset={name}" for name in ("utf-7", "utf-16", "utf-32", "latin-1", "idna", "bz2")]
    + ["application/json; charset=unicode_escape", "application/json;CHARSET=zlib_codec"],
)
def test_p01_any_other_type_is_unsupported(content_type: str) -> None:
    assert refused(b'{"a":1}', content_type=content_type) == "unsupported_media_type"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x"])
@pytest.mark.parametrize("body", [b"", b'{"a":1}'])
def test_p09_an_encoded_body_is_unsupported(encoding: str, body: bytes) -> None:
    assert refused(body, content_encoding=encoding) == "unsupported_media_type"


def test_identity_is_no_encoding() -> None:
    assert parse(b'{"a":1}', content_encoding="Identity") == {"a": 1}


# Reading


class Wire:
    """A request's messages, one for each receive()."""

    def __init__(self, *chunks: bytes, complete: bool = True) -> None:
        self.messages: list[Mapping[str, Any]] = [
            {"type": "http.request", "body": chunk, "more_body": not complete or number < len(chunks) - 1}
            for number, chunk in enumerate(chunks)
        ]
        self.messages.append({"type": "http.disconnect"})

    async def receive(self) -> Mapping[str, Any]:
        return self.messages.pop(0)


def scope(**headers: bytes) -> dict[str, Any]:
    return {"headers": [(name.replace("_", "-").encode(), value) for name, value in headers.items()]}


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await read_body(scope(), Wire(b"a", b"", b"bc").receive, limit_bytes=3) == b"abc"


async def test_a_body_is_refused_as_soon_as_it_is_too_long() -> None:
    wire = Wire(b"abc", b"d", b"never asked for")
    with pytest.raises(BodyTooLarge):
        await read_body(scope(), wire.receive, limit_bytes=3)
    assert wire.messages[0]["body"] == b"never asked for"


@pytest.mark.parametrize("length", [b"4", b"9" * 18, b"9" * 5000])
async def test_a_body_that_says_it_is_too_long_is_not_read_at_all(length: bytes) -> None:
    wire = Wire(b"abc")
    with pytest.raises(BodyTooLarge):
        await read_body(scope(content_length=length), wire.receive, limit_bytes=3)
    assert len(wire.messages) == 2


async def test_a_length_that_is_understated_does_not_let_more_in() -> None:
    with pytest.raises(BodyTooLarge):
        await read_body(scope(content_length=b"1"), Wire(b"abcd").receive, limit_bytes=3)


async def test_a_client_that_goes_away_in_the_middle_is_noticed() -> None:
    with pytest.raises(BodyAborted):
        await read_body(scope(), Wire(b"a", complete=False).receive, limit_bytes=3)


async def test_a_body_that_was_read_can_be_given_to_somebody_else_once_and_the_disconnect_follows() -> None:
    wire = Wire(b"abc")
    again = replay(await read_body(scope(), wire.receive, limit_bytes=3), wire.receive)
    assert await again() == {"type": "http.request", "body": b"abc", "more_body": False}
    assert await again() == {"type": "http.disconnect"}


def test_only_publishing_may_be_large() -> None:
    for prefix in ("/operator/api", "/operator/api/v1"):
        assert body_limit_bytes(f"{prefix}/events") == PUBLISH_LIMIT_BYTES
        assert body_limit_bytes(f"{prefix}/events/sse-token") == BODY_LIMIT_BYTES
    assert body_limit_bytes("/admin/") == BODY_LIMIT_BYTES
