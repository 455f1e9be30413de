"""Callers that go away: what has side effects is done to its end, and who closes only his half is answered."""

import json
import socket
import struct
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.client import API, Json
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.operator_api.chat.fake_assistant import Assistant
from tests.server.wire import STREAM, Wire, request
from tests.stack.operators import window
from tests.stack.test_sessions import User
from tests.stacks import Stack
from tests.waiting import wait_until

# Enough that some leave at each point of what is done for them.
CALLERS = 12


def reset(wire: Wire) -> None:
    """Away without a word, so that the server hears of it at once."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.socket.close()


def close(wire: Wire) -> None:
    wire.socket.close()


@pytest.mark.parametrize("leave", [reset, close])
def test_n13_a_question_whose_caller_goes_away_is_asked_all_the_same(
    own_stack: OwnStack, leave: Callable[[Wire], None]
) -> None:
    with Assistant() as assistant:
        stack = own_stack(VX11_CHAT_UPSTREAM_URL=assistant.url, VX11_CHAT_UPSTREAM_TOKEN="of-no-worth")
        principal = stack.client(stack.principal_token)
        with window(principal), User(stack, "operator").session() as session:
            host = urlsplit(stack.a.url).netloc
            cookies = "; ".join(f"{name}={value}" for name, value in session.browser.cookies.items())
            by_session = {"Cookie": cookies, "X-CSRFToken": session.csrf_token, "Host": host}
            by_token = {"X-VX11-Token": stack.principal_token}
            for number in range(CALLERS):
                for who, path in ((by_session, f"{API}/chat"), (by_token, f"{API}/chat?wait=25")):
                    body = json.dumps({"message": f"{path} {number}", "session_id": "s-1"}).encode()
                    fields = {**who, "Content-Type": "application/json", "Content-Length": str(len(body))}
                    wire = Wire(stack.a.url)
                    wire.send(request("POST", path, fields) + body)
                    wait_until_read(stack, number)
                    leave(wire)
            assert session.browser.post(
                f"{API}/chat", json={"message": "the last one"}, headers={"X-CSRFToken": session.csrf_token}
            ).is_success

            def roles() -> list[str]:
                told = principal.polled(event_type="chat.message", limit=500)["events"]
                return [event["payload"]["role"] for event in told]

            # Of one that was cut off before it was read nothing is there; of all others everything.
            wait_until(lambda: roles().count("user") == roles().count("assistant"), "all are answered")
            assert len({question.body["message"] for question in assistant.questions}) == roles().count("user") > 1


def wait_until_read(stack: Stack, number: int) -> None:
    """A few turns of the server's loop, more with each caller."""
    for _ in range(number // 3):
        stack.client(None).get("/health")


def test_n13_who_closes_only_his_half_is_told_what_became_of_his_publication(
    stack: Stack, new_event: Callable[..., Json]
) -> None:
    body = json.dumps(new_event()).encode()
    fields = {
        "X-VX11-Token": stack.service_token,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", f"{API}/events", fields) + body)
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer(method="POST").status == 201
        assert wire.rest() == b""


def test_n13_who_closes_only_his_half_is_told_of_all_that_he_asked_before(
    stack: Stack, new_event: Callable[..., Json]
) -> None:
    requests = request("GET", f"{API}/status", {"X-VX11-Token": stack.principal_token})
    for _ in range(2):
        body = json.dumps(new_event()).encode()
        fields = {
            "X-VX11-Token": stack.service_token,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        requests += request("POST", f"{API}/events", fields) + body
    requests += request("GET", "/health", {})
    with Wire(stack.a.url) as wire:
        wire.send(requests)
        wire.socket.shutdown(socket.SHUT_WR)
        assert [wire.answer(method=method).status for method in ("GET", "POST", "POST", "GET")] == [200, 201, 201, 200]
        assert wire.rest() == b""


def test_n13_half_a_publication_is_none(stack: Stack, new_event: Callable[..., Json], marker: str) -> None:
    body = json.dumps(new_event()).encode()
    fields = {
        "X-VX11-Token": stack.service_token,
        "Content-Type": "application/json",
        "Content-Length": str(len(body) + 1),
    }
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", f"{API}/events", fields) + body)
        wire.socket.shutdown(socket.SHUT_WR)
        assert b" 201 " not in wire.rest()
    assert stack.client(stack.principal_token).polled(correlation_id=marker)["events"] == []


def test_a_stream_ends_for_who_closes_his_half(stack: Stack) -> None:
    client = stack.client(stack.principal_token)
    ended = 'vx11_streams_ended_total{reason="client_closed"}'
    before = metric(client, ended)
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", STREAM, {"X-VX11-Token": stack.principal_token}))
        wire.response()
        wire.socket.shutdown(socket.SHUT_WR)
        wait_until(lambda: metric(client, ended) > before, "the stream has ended")
