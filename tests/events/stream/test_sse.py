"""Our bytes, read by a parser that is not ours: what goes in comes out, however the network cuts them."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from events.log import records
from events.log.cursors import Cursor
from events.log.records import Entry, Record, encode
from events.stream import sse
from tests.events.stream.sse_reading import read

EPOCH = "k7f3"
CREATED_AT = datetime(2026, 1, 4, 1, 34, 28, 123456, UTC)

# What the API takes: no NUL, no lone surrogate, numbers that JSON readers agree on.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
payloads = st.dictionaries(texts, values, max_size=5)
summaries = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=500)
TRICKY = "a\n\nevent: stream-end\ndata: {}\r\n\r\nid: 999\u2028\u2029\x85\x1c\ufeff:"


def entry_of(summary: str, payload: dict[str, Any], *, seq: int = 1042) -> Entry:
    return encode(
        Record(
            seq=seq,
            event_id="e-1",
            event_type="drift",
            summary=summary,
            module="hormiguero",
            severity="warn",
            correlation_id="c-1",
            payload=orjson.dumps(payload).decode(),
            created_at=CREATED_AT,
            occurred_at=None,
        )
    )


@given(summary=summaries, payload=payloads, cuts=st.lists(st.integers(0, 2000), max_size=20))
@example(summary=TRICKY, payload={TRICKY: TRICKY}, cuts=[])
def test_an_event_comes_out_as_it_went_in_however_it_is_cut(
    summary: str, payload: dict[str, Any], cuts: list[int]
) -> None:
    stream = sse.events(EPOCH, [entry_of(summary, payload)])
    (event,) = read(stream, cuts)
    assert (event.event, event.id) == ("message", "k7f3-1042")
    assert json.loads(event.data) == {
        "type": "event",
        "event_id": "e-1",
        "seq": 1042,
        "event_type": "drift",
        "summary": summary,
        "module": "hormiguero",
        "severity": "warn",
        "correlation_id": "c-1",
        "payload": payload,
        "created_at": "2026-01-04T01:34:28.123456Z",
        "occurred_at": None,
    }


@given(payload=payloads)
@example(payload={TRICKY: [TRICKY]})
def test_an_event_comes_out_as_it_went_in_byte_by_byte(payload: dict[str, Any]) -> None:
    stream = sse.events(EPOCH, [entry_of("x", payload)])
    (event,) = read(stream, list(range(len(stream))))
    assert json.loads(event.data)["payload"] == payload


@given(summary=summaries, payload=payloads)
@example(summary=TRICKY, payload={TRICKY: TRICKY})
def test_data_is_always_one_line(summary: str, payload: dict[str, Any]) -> None:
    assert not {b"\n", b"\r"} & {bytes([byte]) for byte in entry_of(summary, payload).body}


@given(payloads=st.lists(payloads, min_size=1, max_size=6))
def test_events_in_one_chunk_are_separate_and_each_has_its_own_cursor(payloads: list[dict[str, Any]]) -> None:
    chunk = sse.events(EPOCH, [entry_of("x", payload, seq=seq) for seq, payload in enumerate(payloads, 7)])
    found = read(chunk, [])
    assert [event.id for event in found] == [f"k7f3-{seq}" for seq, _ in enumerate(payloads, 7)]
    assert [json.loads(event.data)["payload"] for event in found] == payloads


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_out_as_it_went_in(moment: datetime) -> None:
    text = records.timestamp(moment)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == moment
    assert len(text) == len("2026-01-04T01:34:28.123456Z")


def test_what_the_server_says_is_named_and_moves_the_cursor_only_if_told_to() -> None:
    with_cursor, without = read(
        sse.named("heartbeat", {"a": 1}, cursor=Cursor(EPOCH, 9)) + sse.named("stream-end", {"reason": "max_age"}), []
    )
    assert (with_cursor.event, with_cursor.id, with_cursor.json()) == ("heartbeat", "k7f3-9", {"a": 1})
    assert (without.event, without.json()) == ("stream-end", {"reason": "max_age"})
    # No id of its own: the client's position stays where it was.
    assert b"id:" not in sse.named("stream-end", {"reason": "max_age"})


def test_a_keep_alive_is_nothing_to_a_reader_and_a_retry_is_a_number() -> None:
    assert sse.keep_alive(3) == b": keep-alive 3\n\n"
    assert read(sse.keep_alive(0) + sse.keep_alive(1), []) == []
    assert sse.retry(4137) == b"retry: 4137\n\n"


def test_the_first_message_is_unnamed_and_has_the_cursor_it_starts_from() -> None:
    (event,) = read(sse.message(Cursor(EPOCH, 5), {"type": "connected"}), [])
    assert (event.event, event.id, event.json()) == ("message", "k7f3-5", {"type": "connected"})
