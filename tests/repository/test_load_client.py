"""The client of the benchmarks loses nothing and makes nothing up: what it counts is what servers are judged by."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import marks
from benchmarks.receipts import Receipts
from benchmarks.wire import Answer, AnswerReader, UnexpectedAnswer, request

MEASURED = b"HTTP/1.1 201 Created\r\nContent-Length: 11\r\nServer: x\r\n\r\nhello world"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"


def numbers(*which: int) -> list[bytes]:
    return [b"%08d" % number for number in which]


@given(st.integers(0, 20), st.lists(st.integers(1, 90)), st.binary(max_size=40).filter(lambda noise: b"#" not in noise))
def test_every_mark_is_found_once_wherever_the_bytes_are_cut(count: int, cuts: list[int], noise: bytes) -> None:
    stream = b"".join(noise + marks.mark(number, 10**12) for number in range(count)) + noise
    found: list[bytes] = []
    rest = b""
    for length in [*cuts, len(stream)]:
        data, stream = rest + stream[:length], stream[length:]
        found += marks.NUMBERS.findall(data)
        rest = marks.cut_off(data)
    assert found == numbers(*range(count))


def test_a_mark_is_as_long_as_its_place_in_a_request() -> None:
    assert len(marks.mark(99_999_999, marks.moment())) == len(marks.PLACE)


def test_streams_that_receive_everything_in_one_order_have_lost_nothing() -> None:
    receipts = Receipts(streams=3)
    receipts.take(0, numbers(0, 1))
    receipts.take(1, numbers(0))
    receipts.take(0, numbers(3, 2))
    receipts.take(1, numbers(1, 3, 2))
    receipts.take(2, numbers(0, 1, 3, 2))
    assert (receipts.received, receipts.lost(published=4), receipts.doubled) == (12, 0, 0)


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=4), st.integers(1, 5))
def test_lost_and_doubled_are_what_sets_of_each_stream_would_say(streams: list[list[int]], step: int) -> None:
    receipts = Receipts(streams=len(streams))
    for start in range(0, 12, step):
        for stream, received in enumerate(streams):
            receipts.take(stream, numbers(*received[start : start + step]))
    distinct = sum(len(set(received)) for received in streams)
    assert receipts.lost(published=10) == 10 * len(streams) - distinct
    assert receipts.doubled == sum(map(len, streams)) - distinct


@pytest.mark.parametrize("answer", [MEASURED, CHUNKED], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 1000])
def test_an_answer_is_the_same_however_its_bytes_are_cut(answer: bytes, piece_bytes: int) -> None:
    reader = AnswerReader()
    body = b""
    for start in range(0, len(answer), piece_bytes):
        assert not reader.complete
        body += reader.feed(answer[start : start + piece_bytes])
    assert (reader.status, reader.complete, body) == (201, True, b"hello world")


def test_an_answer_without_a_body_is_complete_with_its_head() -> None:
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 204 No Content\r\n\r\n") == b""
    assert (reader.status, reader.complete) == (204, True)


def test_a_refusal_ends_the_measurement_and_is_shown() -> None:
    with pytest.raises(UnexpectedAnswer, match="429 instead of 200: .*rate_limited"):
        Answer(429, b'{"reason": "rate_limited"}').expect(200)


def test_a_request_says_how_long_its_body_is() -> None:
    head, _, body = request("POST", "/x", token="t", body={"a": "é"}).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Content-Length: %d" % len(body) in head.split(b"\r\n")
    assert json.loads(body) == {"a": "é"}
