"""Bodies that are too large: refused early, with the one body, and never kept in memory."""

import json
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.server.watching import MEBIBYTE, resident_bytes
from tests.server.wire import Answer, Wire, chunked, request
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.once

EVENTS = f"{API}/events"
SSE_TOKEN = f"{API}/events/sse-token"
PIECE_BYTES = 64 * 1024
PIECE = b"x" * PIECE_BYTES
# Of the server, with the allocator's own ways.
GROWTH_LIMIT_BYTES = 5 * MEBIBYTE
ORDINARY_LIMIT_BYTES = 256 * 1024
PUBLISH_LIMIT_BYTES = 4 * MEBIBYTE


def answer_and_growth(stack: Stack, head: bytes, body: Iterator[bytes]) -> tuple[Answer, int]:
    """The answer to a client that reads when it has sent everything; by how much the server grew meanwhile."""
    before = maximum = resident_bytes(stack.a)
    with Wire(stack.a.url) as wire:
        wire.send(head)
        for number, piece in enumerate(body):
            assert wire.send(piece), "cut off while it sent: not every client finds the answer then"
            if number % 64 == 0:
                maximum = max(maximum, resident_bytes(stack.a))
        answer = wire.answer()
        assert wire.rest() == b""
    return answer, max(maximum, resident_bytes(stack.a)) - before


def pieces(size_bytes: int) -> Iterator[bytes]:
    return (PIECE for _ in range(size_bytes // PIECE_BYTES))


@pytest.mark.parametrize("path", [EVENTS, SSE_TOKEN, "/operator/api/events/stream", "/health", "/nowhere", "/admin/"])
def test_p04_120_mb_without_a_credential_are_refused_and_not_kept(stack: Stack, path: str) -> None:
    size = 120 * MEBIBYTE
    head = request("POST", path, {"Content-Type": "application/json", "Content-Length": str(size)})
    answer, growth = answer_and_growth(stack, head, pieces(size))
    assert_problem(answer, 413, "payload_too_large")
    assert growth < GROWTH_LIMIT_BYTES


def test_p03_50_mb_in_chunks_are_refused_and_not_kept(stack: Stack) -> None:
    head = request("POST", EVENTS, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    answer, growth = answer_and_growth(stack, head, chain(chunked(pieces(50 * MEBIBYTE)), [b"0\r\n\r\n"]))
    assert_problem(answer, 413, "payload_too_large")
    assert growth < GROWTH_LIMIT_BYTES


@pytest.mark.parametrize(("path", "limit_bytes"), [(EVENTS, PUBLISH_LIMIT_BYTES), (SSE_TOKEN, ORDINARY_LIMIT_BYTES)])
@pytest.mark.parametrize("too_much", [0, 1])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_p03_the_limit_is_the_addresss_own_and_exact(
    stack: Stack, path: str, limit_bytes: int, too_much: int, *, in_chunks: bool
) -> None:
    # With a token that is not one: what is within the limit is read, then refused for that.
    size = limit_bytes + too_much
    length = {"Transfer-Encoding": "chunked"} if in_chunks else {"Content-Length": str(size)}
    body = b"x" * size
    sent = b"".join(chunked([body])) + b"0\r\n\r\n" if in_chunks else body
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", path, {"Content-Type": "application/json", "X-VX11-Token": "x", **length}, sent))
        answer = wire.answer()
    if too_much:
        assert_problem(answer, 413, "payload_too_large")
    else:
        assert (answer.status, answer.json()["reason"]) == (401, "main_auth_failed")


def test_p04_who_brings_no_token_may_send_less(stack: Stack) -> None:
    body = b"x" * (ORDINARY_LIMIT_BYTES + 1)
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", EVENTS, {"Content-Length": str(len(body))}, body))
        assert_problem(wire.answer(), 413, "payload_too_large")


def test_p03_the_refusal_of_a_declared_length_does_not_wait_for_the_body(stack: Stack) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", EVENTS, {"Content-Length": str(PUBLISH_LIMIT_BYTES + 1)}))
        assert_problem(wire.answer(method="POST"), 413, "payload_too_large")


@pytest.mark.parametrize(("length", "first"), [(PUBLISH_LIMIT_BYTES + 1, b"413"), (2, b"100")])
def test_p03_a_client_that_asks_before_it_sends_is_told_to_go_on_only_if_it_may(
    stack: Stack, length: int, first: bytes
) -> None:
    with Wire(stack.a.url) as wire:
        headers = {"Content-Type": "application/json", "Content-Length": str(length), "Expect": "100-continue"}
        wire.send(request("POST", EVENTS, headers))
        said = wire.socket.recv(PIECE_BYTES)
        assert said.split()[1] == first
        # By now it has said all that it says to this.
        assert stack.client(None).get("/health").status_code == 200
        while wire.has_answer():
            said += wire.socket.recv(PIECE_BYTES)
        assert (b"100 Continue" in said) == (first == b"100")


def test_p03_a_refused_body_that_arrives_whole_is_answered_once_and_ends_the_connection(stack: Stack) -> None:
    size = ORDINARY_LIMIT_BYTES + 1
    body = b"x" * size
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", SSE_TOKEN, {"Content-Length": str(size)}, body) + request("GET", "/health"))
        answer = wire.answer()
        assert_problem(answer, 413, "payload_too_large")
        assert answer.headers["connection"] == "close"
        # The request behind it is not answered: who can say where the next one begins?
        assert wire.rest() == b""


def test_p03_more_than_declared_is_no_part_of_the_request(
    stack: Stack, principal: Client, new_event: Callable[..., Json], marker: str
) -> None:
    body = json.dumps(new_event()).encode()
    headers = {
        "Content-Type": "application/json",
        "X-VX11-Token": stack.service_token,
        "Content-Length": str(len(body)),
    }
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", EVENTS, headers, body + b'{"more": 1}\r\n\r\n'))
        assert wire.answer().status == 201
        assert_problem(wire.answer(), 400, "bad_request")
        assert wire.rest() == b""
    assert principal.polled(correlation_id=marker)["total"] == 1


def half_bodies(stack: Stack, token: str) -> list[Wire]:
    """Many of the longest bodies, each without its last byte."""
    head = request("POST", EVENTS, {"Content-Length": str(PUBLISH_LIMIT_BYTES), "X-VX11-Token": token})
    wires = [Wire(stack.b.url) for _ in range(24)]
    for wire in wires:
        wire.send(head + b"x" * (PUBLISH_LIMIT_BYTES - 1))
    return wires


@pytest.mark.parametrize("sender", ["a stranger with any text for a token", "another publisher"])
def test_n06_n10_half_bodies_are_bounded_together_and_keep_no_other_publisher_out(
    stack: Stack, principal: Client, new_event: Callable[..., Json], marker: str, sender: str
) -> None:
    """Each may be kept, all together may not; and what one sender holds is not in the way of another."""
    many = [new_event(payload={"filling": "x" * 60_000})] * 10
    token = "x" * 20 if "stranger" in sender else stack.issue_token("service", scopes=("events:publish",))[0]
    publisher = stack.client(stack.service_token, server=stack.b)
    # So that this process knows both.
    assert publisher.publish(new_event()).status_code == 201
    before = resident_bytes(stack.b)
    wires = half_bodies(stack, token)
    try:
        refused = wait_until(lambda: some_answered(wires), "those are refused that there is no room for")
        assert resident_bytes(stack.b) - before < 80 * MEBIBYTE
        for wire in refused:
            answer = wire.answer()
            assert_problem(answer, 503, "at_capacity")
            assert int(answer.headers["retry-after"]) > 0
        assert publisher.publish(new_event()).status_code == 201
        assert publisher.publish(many).status_code == 201
    finally:
        for wire in wires:
            wire.close()
    assert principal.polled(correlation_id=marker)["total"] == 12


def test_n06_a_stranger_that_fills_its_room_is_told_to_come_back_and_may_then(stack: Stack) -> None:
    wires = half_bodies(stack, "x" * 20)
    try:
        wait_until(lambda: some_answered(wires), "those are refused that there is no room for")
    finally:
        for wire in wires:
            wire.close()
    body = b'"' + b"x" * (ORDINARY_LIMIT_BYTES - 2) + b'"'

    def is_read() -> bool:
        headers = {"Content-Type": "application/json", "X-VX11-Token": "x", "Content-Length": str(len(body))}
        with Wire(stack.b.url) as wire:
            wire.send(request("POST", EVENTS, headers, body))
            return wire.answer().status == 401

    wait_until(is_read, "there is room for strangers again")


def some_answered(wires: list[Wire]) -> list[Wire]:
    answered = [wire for wire in wires if wire.has_answer()]
    return answered if len(answered) >= 8 else []
