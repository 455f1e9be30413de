"""Bodies that are cheap to send and dear to read, sent by a peer: a client that behaves must not notice."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest

from benchmarks import usage
from tests.answers import assert_problem
from tests.client import API, LOOPBACK, Client, Json
from tests.conftest import POSTGRES
from tests.server.wire import Wire, request
from tests.stacks import Size, Stack

EVENTS = f"{API}/events"
PUBLISH_LIMIT_BYTES = 4 * 1024 * 1024
ORDINARY_LIMIT_BYTES = 256 * 1024
PER_MINUTE = 5
JSON_TYPE = {"Content-Type": "application/json"}
# Each takes a JSON body from a principal.
ORDINARY = ("events/sse-token", "settings", "chat", "window/open", "window/extend", "window/close")
MAY_WRITE = ("tickets:issue", "window:write", "chat:write")
NEIGHBOUR_CONNECTIONS = 4
REQUESTS = 40


def full_of(item: str, size_bytes: int) -> bytes:
    """A batch that is one list of these."""
    count = (size_bytes - 40) // (len(item) + 1)
    return ('{"events":[' + ",".join([item] * count) + "]}").encode()


def cost_seconds(stack: Stack, ask: Callable[[], object], *, times: int) -> float:
    """The CPU of all processes of the installation."""
    pids = [server.pid for server in stack.processes]
    before = usage.cpu_seconds(*pids)
    for _ in range(times):
        ask()
    return usage.cpu_seconds(*pids) - before


def assert_costs_no_more_than_text(stack: Stack, send: Callable[[bytes], httpx2.Response], size_bytes: int) -> None:
    """CPU of a body full of objects, against one that is a single text of the same length."""
    dear, plain = full_of("{}", size_bytes), full_of(f'"{"x" * (size_bytes - 60)}"', size_bytes)
    times = max(3, 24 * 1024 * 1024 // size_bytes // 3)
    for _ in range(3):
        of_text = cost_seconds(stack, lambda: send(plain), times=times)
        of_objects = cost_seconds(stack, lambda: send(dear), times=times)
        if of_objects < 4 * of_text:
            return
    raise AssertionError(f"objects cost {of_objects:.2f} s of CPU where a text costs {of_text:.2f} s")


def test_n10_publishing_many_small_objects_costs_no_more_than_a_long_text(stack: Stack) -> None:
    client = stack.client(stack.service_token)

    def send(body: bytes) -> httpx2.Response:
        answer = client.post(EVENTS, content=body, headers=JSON_TYPE)
        assert answer.status_code in (413, 422), answer.text
        return answer

    assert_costs_no_more_than_text(stack, send, PUBLISH_LIMIT_BYTES)


def test_n10_no_other_address_reads_what_is_dear(stack: Stack) -> None:
    client = stack.client(stack.principal_token)

    def send(body: bytes) -> httpx2.Response:
        for path in ORDINARY:
            answer = client.post(f"{API}/{path}", content=body, headers=JSON_TYPE)
            assert answer.status_code in (403, 409, 413, 422, 200), answer.text
        return answer

    assert_costs_no_more_than_text(stack, send, ORDINARY_LIMIT_BYTES)


def test_n10_more_values_than_a_request_may_have_are_told_so(stack: Stack) -> None:
    answer = stack.client(stack.service_token).post(
        EVENTS, content=full_of("{}", PUBLISH_LIMIT_BYTES), headers=JSON_TYPE
    )
    assert_problem(answer, 413, "payload_too_large")
    assert "100000 values" in answer.json()["title"]


def test_n10_forms_for_people_are_as_cheap(stack: Stack) -> None:
    """The form of the door, which reads what strangers send."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    client = stack.client(None)

    def send(body: bytes) -> httpx2.Response:
        return client.post("/operator/login", content=body, headers=form)

    plain = b"username=" + b"x" * (ORDINARY_LIMIT_BYTES - 100)
    for dear in (b"username=" + b"%" * (ORDINARY_LIMIT_BYTES - 100), b"a=1&" * (ORDINARY_LIMIT_BYTES // 4 - 30)):
        for _ in range(3):
            of_text = cost_seconds(stack, lambda: send(plain), times=20)
            if cost_seconds(stack, lambda: send(dear), times=20) < 5 * of_text:  # noqa: B023 - called at once
                break
        else:
            raise AssertionError(f"a form of {dear[:20]!r}... costs more than 5 times a plain one")


# Beside a peer


@contextmanager
def peer(stack: Stack, token: str, body: bytes) -> Iterator[Callable[[], int]]:
    """Sends the body over some connections, again and again; how often it was answered until now."""
    answered, over = 0, threading.Event()
    counting = threading.Lock()
    headers = {**JSON_TYPE, "X-VX11-Token": token, "Content-Length": str(len(body))}
    message = request("POST", EVENTS, headers, body)

    def send() -> None:
        nonlocal answered
        with Wire(stack.b.url) as wire:
            wire.socket.settimeout(60)
            while not over.is_set():
                wire.send(message)
                assert wire.answer(method="POST").status in (413, 422)
                with counting:
                    answered += 1

    with ThreadPoolExecutor(NEIGHBOUR_CONNECTIONS) as pool:
        sending = [pool.submit(send) for _ in range(NEIGHBOUR_CONNECTIONS)]
        try:
            yield lambda: answered
        finally:
            over.set()
        for future in sending:
            future.result()


def busy_batch() -> bytes:
    """As much as a request may hold, and right but for its last event: all of it is read and checked in vain."""
    event = '{"event_type":"test.dear","summary":"x","payload":{"a":[' + ",".join(["{}"] * 190) + "]}}"
    return full_of(event, 499 * (len(event) + 1)).removesuffix(b"]}") + b',{"event_type":"test.dear"}]}'


def test_n10_a_client_beside_dear_bodies_is_answered_in_between(
    stack: Stack, new_event: Callable[..., Json], principal: Client, marker: str
) -> None:
    """By count of answers: each of the client's used to wait for one of each of the peer's connections.

    What a commit takes meanwhile is up to the disk and to other programs, so half of that is far enough from it.
    """
    token = stack.issue_token("service", scopes=("events:publish",))[0]
    headers = {"X-VX11-Token": stack.service_token}
    with (
        peer(stack, token, busy_batch()) as answered,
        httpx2.Client(base_url=stack.b.url, headers=headers, timeout=30, **LOOPBACK) as client,
    ):
        before = answered()
        for _ in range(REQUESTS):
            assert client.post(EVENTS, json=new_event()).status_code == 201
        meanwhile = answered() - before
    assert meanwhile < REQUESTS * NEIGHBOUR_CONNECTIONS / 2, (
        f"{meanwhile} of the peer's bodies were read before {REQUESTS} small ones"
    )
    assert principal.polled(correlation_id=marker, limit=1)["total"] == REQUESTS


# Charged first


@pytest.fixture(scope="module")
def limited(stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stack]:
    rate = f"{PER_MINUTE}/m"
    names = ("VX11_TOKEN_RATE", "VX11_PUBLISH_RATE", "VX11_CHAT_RATE", "VX11_CHANGE_RATE")
    folder = tmp_path_factory.mktemp("limited")
    environment = dict.fromkeys(names, rate)
    with Stack(stack_size, folder, postgres=pytestconfig.stash[POSTGRES], environment=environment) as stack:
        yield stack
        stack.assert_clean_logs()


@pytest.mark.parametrize("body", [b"{", b'{"unheard_of": [{}]}', b'{"ttl_sec": -1, "modules": 3}'])
@pytest.mark.parametrize("path", ["events", "events/sse-token", "settings", "chat", "window/open", "window/extend"])
def test_n10_a_body_that_cannot_be_taken_meets_the_rate_all_the_same(limited: Stack, path: str, body: bytes) -> None:
    token = limited.service_token if path == "events" else limited.issue_token("principal", scopes=MAY_WRITE)[0]
    client = limited.client(token, server=limited.b)
    answers: list[httpx2.Response] = []
    # A minute may end meanwhile, once.
    while len(answers) <= 2 * PER_MINUTE + 1 and (not answers or answers[-1].status_code != 429):
        answers.append(client.post(f"{API}/{path}", content=body, headers=JSON_TYPE))
    assert_problem(answers[-1], 429, "rate_limited")
    allowed: Mapping[int, str] = {400: "malformed_json", 422: "validation_error", 403: "", 409: "", 200: ""}
    assert all(answer.status_code in allowed for answer in answers[:-1])


def test_n10_a_large_body_that_cannot_be_taken_costs_what_it_could_have_held(limited: Stack) -> None:
    token = limited.issue_token("service", scopes=("events:publish",))[0]
    client = limited.client(token)
    body = b"{" + b" " * (PER_MINUTE * 8 * 1024)
    assert_problem(client.post(EVENTS, content=body, headers=JSON_TYPE), 400, "malformed_json")
    assert_problem(client.post(EVENTS, content=b"{", headers=JSON_TYPE), 429, "rate_limited")
