"""Records: lines that belong together become one, in bounds, and nothing waits for ever."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vx11_client.lines.line import LINE_LIMIT_BYTES, Line
from vx11_client.lines.records import (
    PIECE_WAIT_SECONDS,
    RECORD_LIMIT_BYTES,
    RECORD_LIMIT_LINES,
    RECORD_WAIT_SECONDS,
    RULES,
    STREAMS_LIMIT,
    RecordJoiner,
)

TRACE = [b"Traceback (most recent call last):", b'  File "a.py", line 1', b"ValueError: x"]
FRAGMENTS = [
    *TRACE,
    b"",
    b"ERROR x",
    b"\tat a.b.C(D.java:1)",
    b"Caused by: x",
    b"panic: x",
    b"goroutine 1 [running]:",
    b"2026-01-04T01:34:28Z stdout P part",
    b"2026-01-04T01:34:28Z stdout F end",
    b"web-1  | text",
    b'{"log":"x\\n","stream":"stdout","time":"2026-01-04T01:34:28Z"}',
    b"\xff\xfe",
]


def numbered(contents: list[bytes], origin: str = "a") -> list[Line]:
    return [
        Line(content, len(content), place=f"g:{number}:x", origin=origin, start=number, end=number + 1)
        for number, content in enumerate(contents)
    ]


def contents(lines: list[Line]) -> list[bytes]:
    return [line.content for line in lines]


def test_a_record_comes_out_with_the_next_one_or_when_it_has_waited() -> None:
    joiner = RecordJoiner()
    assert joiner.feed(numbered(TRACE), now=10.0) == []
    assert joiner.next_deadline() == 10.0 + RECORD_WAIT_SECONDS
    assert joiner.expired(now=10.0 + RECORD_WAIT_SECONDS / 2) == []
    (record,) = joiner.expired(now=10.0 + RECORD_WAIT_SECONDS)
    assert record.content == b"\n".join(TRACE)
    assert (record.place, record.start, record.end) == ("g:0:x", 0, 3)
    assert joiner.next_deadline() is None


def test_a_part_of_a_line_is_waited_for_longer_and_comes_out_in_the_end() -> None:
    joiner = RecordJoiner()
    joiner.feed(numbered([b"2026-01-04T01:34:28Z stdout P part"]), now=0.0)
    assert joiner.expired(now=PIECE_WAIT_SECONDS - 0.1) == []
    assert contents(joiner.expired(now=PIECE_WAIT_SECONDS)) == [b"2026-01-04T01:34:28Z stdout F part"]


def test_a_record_is_bounded_in_lines_and_in_bytes() -> None:
    frames = [b"  frame"] * (RECORD_LIMIT_LINES + 10)
    joiner = RecordJoiner(rule="indented")
    first, *_ = [*joiner.feed(numbered([b"start", *frames]), now=0.0), *joiner.flush()]
    assert first.content.count(b"\n") == RECORD_LIMIT_LINES - 1

    joiner = RecordJoiner(rule="indented")
    long = b" " + b"x" * 100_000
    records = [*joiner.feed(numbered([b"start", *[long] * 10]), now=0.0), *joiner.flush()]
    assert max(len(record.content) for record in records) <= RECORD_LIMIT_BYTES
    assert sum(record.content.count(b"x" * 100_000) for record in records) == 10


def test_a_line_that_was_cut_is_joined_to_nothing() -> None:
    cut = dataclasses.replace(Line(b"  " + b"x" * 10, LINE_LIMIT_BYTES), origin="a")
    joiner = RecordJoiner(rule="indented")
    lines = [Line(b"first", 5, origin="a"), cut, Line(b"  last", 6, origin="a")]
    assert len([*joiner.feed(lines, now=0.0), *joiner.flush()]) == 3


def test_streams_without_number_are_not_kept_without_end() -> None:
    joiner = RecordJoiner()
    part = b"2026-01-04T01:34:28Z stdout P part"
    lines = [Line(part, len(part), origin=f"file-{number}") for number in range(STREAMS_LIMIT + 5)]
    assert len(joiner.feed(lines, now=0.0)) == 5


def test_a_line_waits_for_no_line_of_another_file() -> None:
    joiner = RecordJoiner()
    lines = [*numbered([b"a"], "a"), *numbered([b"b", b"b2"], "b")]
    assert contents(joiner.feed(lines, now=0.0)) == [b"a", b"b"]


def test_what_is_settled_never_goes_beyond_a_record_that_is_open() -> None:
    joiner = RecordJoiner()
    lines = numbered([b"1", b"2026-01-04T01:34:28Z stdout P part", b"2026-01-04T01:34:28Z stderr F x", b"3"])
    joiner.feed(lines[:1], now=0.0)
    assert joiner.settled()["a"][1] == 0
    joiner.feed(lines[1:], now=0.0)
    assert joiner.settled()["a"][1] == 1
    joiner.flush()
    assert joiner.settled()["a"] == (lines[3], 4)


@settings(deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=30)), st.sampled_from(RULES))
def test_no_line_is_lost_or_doubled_whatever_comes(pieces: list[bytes], rule: str) -> None:
    joiner = RecordJoiner(rule=rule)  # type: ignore[arg-type]
    lines = numbered(pieces)
    records = [*joiner.feed(lines, now=0.0), *joiner.flush()]
    starts = [record.start for record in records]
    assert len(set(starts)) == len(starts)
    assert {line.start for line in lines} >= set(starts)
    if not any(b"stdout" in piece or b"|" in piece for piece in pieces):
        # One stream: in order, and all of it but empty lines.
        assert starts == sorted(starts)
        whole = b"\n".join(record.content for record in records).decode(errors="replace").split("\n")
        given_lines = b"\n".join(pieces).decode(errors="replace").split("\n")
        assert [text for text in whole if text.strip()] == [text for text in given_lines if text.strip()]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_leaves_a_plain_line_as_it_is(rule: str) -> None:
    joiner = RecordJoiner(rule=rule)  # type: ignore[arg-type]
    line = Line(b"2026-01-04 01:34:28 plain \xff", 27, place="g:0:x", end=28)
    assert [*joiner.feed([line], now=0.0), *joiner.flush()] == [line]
