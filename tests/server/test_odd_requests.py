"""Requests that are HTTP, but that nobody expects: an answer that is not a bug, and a log that can be read."""

import time

import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.server.watching import MEBIBYTE, resident_bytes, wait_for_line
from tests.server.wire import STREAM, Wire, request
from tests.stacks import Stack

pytestmark = pytest.mark.once

EVENTS = f"{API}/events"
TARGETS = [
    *(
        "*",
        "//",
        "///operator",
        "?",
        "/?",
        "/%00",
        "/%ff",
        "/%2e%2e/etc/passwd",
        "/../../etc/passwd",
        "/.",
        "/%",
        "/%zz",
    ),
    *("http://localhost/health", "http://evil.example/health", "evil.example:443", "/health/", "/HEALTH", "/health%0a"),
    *(f"{STREAM}/", f"{STREAM}%00", f"{STREAM}?{'a=b&' * 500}", f"{STREAM}?%", f"{STREAM}?a=%ff", f"{STREAM}?=&=&&&;"),
    *(f"{EVENTS}?limit=%00", f"{EVENTS}?limit=1e9", f"{EVENTS}?limit=-1", f"{EVENTS}?limit={'9' * 5000}"),
    *("/static/../settings.py", "/static/%2e%2e/settings.py", "/static//etc/passwd", "/static/%00"),
]


@pytest.mark.parametrize("target", TARGETS, ids=range(len(TARGETS)))
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_an_odd_address_is_never_an_error_of_the_server(stack: Stack, method: str, target: str) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(request(method, target, {"X-VX11-Token": stack.principal_token, "Connection": "close"}))
        response = wire.response(method=method)
        assert response.status < 500
        if response.status >= 400:
            assert response.getheader("Content-Type", "").startswith("application/problem+json")


CONTROLS = {"escape": "\x1b[31m", "carriage return": "\rforged", "line feed": "\nforged", "tab": "\t", "bell": "\a"}


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("place", ["path", "query", "method", "header"])
def test_control_characters_of_a_client_do_not_reach_the_log(stack: Stack, marker: str, name: str, place: str) -> None:
    control = CONTROLS[name]
    method, target, header = "GET", f"/{marker}", "x"
    if place == "path":
        target += control
    elif place == "query":
        target += f"?{control}"
    elif place == "method":
        method += control
    else:
        header += control
    with Wire(stack.a.url) as wire:
        wire.send(request(method, target, {"X-Odd": header, "X-Correlation-Id": header, "Connection": "close"}))
        wire.rest()
    assert stack.client(None).get(f"/health?{marker}-after").status_code == 200
    wait_for_line(stack.a, f"{marker}-after")
    log = stack.a.process.log()
    since = log[log.find(marker) if marker in log else 0 :]
    assert not {character for character in since if ord(character) < 32} - {"\n"}
    assert not [line for line in since.splitlines() if line.startswith("forged")]


def test_a_client_that_asks_and_asks_and_reads_nothing_costs_little_and_delays_nobody(
    stack: Stack, principal: Client, service: Client
) -> None:
    asked = request("GET", f"{EVENTS}?limit=500", {"X-VX11-Token": stack.principal_token}) * 50_000
    service.published([{"event_type": "a", "summary": "a", "payload": {"filling": "x" * 5_000}}] * 100)
    principal.polled(limit=500)
    before = resident_bytes(stack.a)
    wires = [Wire(stack.a.url, receive_buffer_bytes=64 * 1024) for _ in range(10)]
    for wire in wires:
        wire.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            wire.socket.sendall(asked)
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert service.publish({"event_type": "a", "summary": "a"}).status_code == 201
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 1
    # One answer each, as much as a page may hold, and a few requests.
    assert (resident_bytes(stack.a) - before) / len(wires) < 4 * MEBIBYTE
    for wire in wires:
        wire.close()


def test_head_of_what_is_refused_has_no_body(stack: Stack) -> None:
    targets = [(STREAM, 401), (EVENTS, 401), ("/nowhere", 404), ("/operator/api/events/sse-token", 405)]
    for target, status in targets:
        with Wire(stack.a.url) as wire:
            wire.send(request("HEAD", target, {"Connection": "close"}))
            head, _, body = wire.rest().partition(b"\r\n\r\n")
        assert (int(head.split()[1]), body) == (status, b""), target
    with Wire(stack.a.url) as wire:
        wire.send(request("HEAD", EVENTS, {"Content-Length": "999999999"}))
        assert wire.response(method="HEAD").status == 413


@pytest.mark.parametrize("path", [EVENTS, STREAM])
@pytest.mark.parametrize("hosts", [["localhost", "evil.example"], ["evil.example"], ["localhost:x"], ["a@localhost"]])
def test_a_host_that_is_not_ours_or_not_one_is_a_bad_request(stack: Stack, path: str, hosts: list[str]) -> None:
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    with Wire(stack.a.url) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\n{lines}X-VX11-Token: {stack.principal_token}\r\n\r\n")
        answer = wire.answer()
    assert_problem(answer, 400, "bad_request")
    # The others are no name at all.
    assert ("VX11_ALLOWED_HOSTS" in answer.json()["title"]) == (hosts in (["evil.example"], ["localhost:x"]))


def test_a_foreign_host_is_in_the_log_once_and_with_the_setting(own_stack: OwnStack) -> None:
    stack = own_stack()
    for _ in range(3):
        with Wire(stack.a.url) as wire:
            wire.send(f"GET {EVENTS} HTTP/1.1\r\nHost: box.example\r\n\r\n")
            assert wire.answer().status_code == 400
    (line,) = [line for line in stack.a.process.log().splitlines() if "box.example" in line]
    assert "VX11_ALLOWED_HOSTS" in line
