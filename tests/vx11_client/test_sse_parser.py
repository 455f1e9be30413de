"""The event stream format, as the HTML standard has it; httpx2 reads along as the second opinion."""

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vx11_client.reading.sse_parser import LINE_LIMIT_BYTES, EventStreamParser, NotAnEventStream, SseMessage


def parsed(*pieces: bytes) -> list[SseMessage]:
    parser = EventStreamParser()
    return [message for piece in pieces for message in parser.feed(piece)]


def test_a_blank_line_dispatches_what_was_collected() -> None:
    assert parsed(b"event: a\nid: 7\ndata: x\ndata:y\ndata\n\n") == [SseMessage("a", "x\ny\n", "7")]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_all_three_line_ends_end_a_line(end: bytes) -> None:
    assert parsed(end.join([b"data: x", b"", b"data: y", b"", b""])) == [
        SseMessage("message", "x", ""),
        SseMessage("message", "y", ""),
    ]


def test_a_message_comes_with_its_blank_line_and_not_later() -> None:
    parser = EventStreamParser()
    assert parser.feed(b"data: x\r\n\r") == [SseMessage("message", "x", "")]
    assert parser.feed(b"\ndata: y\n\n") == [SseMessage("message", "y", "")]


def test_comments_unknown_fields_and_messages_without_data_are_nothing() -> None:
    assert parsed(b": keep-alive 0\n\nfoo: bar\n\nevent: a\n\ndata: x\n\n") == [SseMessage("message", "x", "")]


def test_only_one_space_is_taken_from_a_value() -> None:
    assert parsed(b"data:  x \n\n") == [SseMessage("message", " x ", "")]


def test_an_id_stays_until_another_one_comes_and_one_with_nul_is_none() -> None:
    messages = parsed(b"id: 1\ndata: a\n\ndata: b\n\nid: 2\x00\ndata: c\n\nid\ndata: d\n\n")
    assert [message.last_event_id for message in messages] == ["1", "1", "1", ""]


def test_an_id_of_a_message_that_is_not_complete_does_not_count() -> None:
    parser = EventStreamParser()
    parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert parser.last_event_id == "1"
    parser.feed(b"\n")
    assert parser.last_event_id == "2"


def test_an_id_without_data_counts() -> None:
    parser = EventStreamParser()
    assert parser.feed(b"id: 5\n\n") == []
    assert parser.last_event_id == "5"


@pytest.mark.parametrize(
    ("value", "retry_ms"), [(b"4137", 4137), (b"-1", None), (b"1s", None), (b"", None), ("٣".encode(), None)]
)
def test_retry_is_digits_or_nothing(value: bytes, retry_ms: int | None) -> None:
    parser = EventStreamParser()
    parser.feed(b"retry: " + value + b"\n")
    assert parser.retry_ms == retry_ms


def test_a_byte_order_mark_is_taken_from_the_start_and_nowhere_else() -> None:
    assert parsed(b"\xef\xbb", b"\xbfdata: x\n\n") == [SseMessage("message", "x", "")]
    assert parsed(b"data: x\n\n\xef\xbb\xbfdata: y\n\n") == [SseMessage("message", "x", "")]


def test_characters_that_only_look_like_line_ends_are_data() -> None:
    assert parsed("data: a\u2028b\x85c\x0bd\n\n".encode()) == [SseMessage("message", "a\u2028b\x85c\x0bd", "")]


def test_a_character_cut_in_two_is_whole_again_and_a_wrong_byte_is_marked() -> None:
    assert parsed(b"data: \xe2\x82", b"\xac \xff\n\n") == [SseMessage("message", "€ \ufffd", "")]


def test_a_line_that_never_ends_is_given_up() -> None:
    with pytest.raises(NotAnEventStream):
        parsed(b"data: ", *[b"x" * 65536] * (LINE_LIMIT_BYTES // 65536 + 1))


stream_bytes = st.lists(
    st.sampled_from(
        [b"data", b"event", b"id", b"retry", b"x", b":", b": ", b"\n", b"\r", b"\r\n", b"\n\n", b"7", "€".encode()]
    )
).map(b"".join)


@settings(deadline=None)
@given(stream_bytes, st.integers(min_value=1, max_value=5))
def test_bytes_cut_anywhere_give_the_same_messages(data: bytes, size: int) -> None:
    assert parsed(*[data[at : at + size] for at in range(0, len(data), size)]) == parsed(data)


@settings(deadline=None)
@given(stream_bytes)
def test_an_independent_reader_finds_the_same_messages(data: bytes) -> None:
    asked, headers = httpx2.Request("GET", "http://localhost"), {"Content-Type": "text/event-stream"}
    answer = httpx2.Response(200, request=asked, headers=headers, content=data)
    theirs = [event for event in httpx2.EventSource(answer) if event.data]
    # Blocks without data are left out on both sides: it reports those, and the standard does not dispatch them.
    ours = [message for message in parsed(data) if message.data]
    assert [(message.event, message.data) for message in ours] == [(event.event, event.data) for event in theirs]
