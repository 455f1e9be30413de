"""Frames of WebSocket: what SSE said, in the form that the RFC gives; and what is read of a client in any pieces."""

import contextlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.stream import socket_frames, sse
from events.stream.socket_frames import CLOSE, PING, PONG, TEXT, ClientFault, ClientFrames, Frame
from tests.sockets import masked


def read(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        opcode, size, rest = data[0] & 0x0F, data[1], data[2:]
        assert data[0] & 0xF0 == 0x80, "whole, and no extension"
        if size >= 126:
            width = 2 if size == 126 else 8
            size, rest = int.from_bytes(rest[:width]), rest[width:]
            assert size > 125 if width == 2 else size > 0xFFFF, "the shortest form is asked for"
        yield opcode, rest[:size]
        data = rest[size:]


def messages(chunk: bytes) -> list[object]:
    return [json.loads(payload) if opcode == TEXT else opcode for opcode, payload in read(socket_frames.framed(chunk))]


def test_messages_have_what_the_stream_says() -> None:
    chunk = sse.retry(3_000) + sse.named("stream-reset", {"reason": "epoch"}) + sse.keep_alive(7)
    chunk += b'id: e-7\ndata: {"a":"b: c\\n"}\n\n' + b"id: e-8\nevent: heartbeat\ndata: {}\n\n"
    assert messages(chunk) == [
        {"id": None, "event": "stream-reset", "data": {"reason": "epoch"}},
        PING,
        {"id": "e-7", "event": None, "data": {"a": "b: c\n"}},
        {"id": "e-8", "event": "heartbeat", "data": {}},
    ]


@pytest.mark.parametrize("size", [0, 1, 100, 124, 125, 126, 127, 65_400, 65_535, 65_536, 70_000])
def test_any_length_is_written_in_the_shortest_form(size: int) -> None:
    (found,) = read(socket_frames.frame(TEXT, b"x" * size))
    assert found == (TEXT, b"x" * size)


@pytest.mark.parametrize(("reason", "code"), [*socket_frames.CLOSE_CODES.items(), ("of another release", 4099)])
def test_an_end_is_followed_by_a_close_with_its_reason(reason: str, code: int) -> None:
    *_, (opcode, payload) = read(socket_frames.framed(sse.end(reason)))
    assert (opcode, int.from_bytes(payload[:2]), payload[2:].decode()) == (CLOSE, code, reason)


def test_the_same_bytes_are_framed_once() -> None:
    chunk = sse.named("caught-up", {"cursor": "e-1"})
    assert socket_frames.framed(chunk) is socket_frames.framed(chunk)
    assert socket_frames.framed(bytes(bytearray(chunk))) == socket_frames.framed(chunk)


CONTROL = st.tuples(st.sampled_from([PING, PONG, CLOSE]), st.binary(max_size=125))


@given(frames=st.lists(CONTROL, max_size=5), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_frames_of_a_client_are_read_in_any_pieces(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(masked(opcode, payload) for opcode, payload in frames)
    reader, found, place, turn = ClientFrames(), list[Frame](), 0, 0
    while place < len(data):
        size = cuts[turn % len(cuts)]
        found += reader.receive(data[place : place + size])
        place, turn = place + size, turn + 1
    assert found == frames


@given(data=st.binary(min_size=300, max_size=600))
def test_no_more_than_a_frame_is_kept_whatever_comes(data: bytes) -> None:
    reader = ClientFrames()
    with contextlib.suppress(ClientFault):
        for place in range(0, len(data), 50):
            reader.receive(data[place : place + 50])
            assert len(reader._received) < 2 + 4 + 125


@pytest.mark.parametrize("key", ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==\n", "\u00e9" * 22 + "=="])
def test_what_is_no_key_is_none(key: str) -> None:
    assert socket_frames.accept_key(key) is None
