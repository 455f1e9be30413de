"""A gateway whose backend is away, hangs, or is somebody else: honest in time, and well again by itself."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.answers import assert_problem
from tests.cases.recording import Recovery
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.operator_api.chat.fake_assistant import Assistant
from tests.stack.operators import close_window, open_window
from tests.stacks import Stack
from tests.waiting import wait_until

# The gateway's limit, and what a busy machine adds.
IN_TIME_SECONDS = 4.5
# Four servers start, and then the limit is waited for many times.
TEST_SECONDS = 180


def assert_degraded(client: Client) -> None:
    """Of what two addresses are to say, and how soon."""
    started = time.monotonic()
    status, window = client.get(f"{API}/status"), client.get(f"{API}/window/status")
    assert time.monotonic() - started < 2 * IN_TIME_SECONDS
    assert (status.status_code, window.status_code) == (200, 200)
    assert (status.json()["policy"], status.json()["degraded"]) == ("degraded", True)
    assert status.json()["operator_services"] == {"operator_backend": {"status": "DOWN"}}
    assert status.json()["core_services"]["tentaculo_link"] == {"status": "UP"}
    body = window.json()
    assert (body["mode"], body["degraded"], body["reason"]) == ("degraded", True, "backend_unavailable")
    assert (body["window_id"], body["chat_enabled"]) == (None, False)


def assert_unavailable(client: Client) -> None:
    for method, path in (("POST", "window/open"), ("POST", "chat"), ("GET", "modules"), ("GET", "settings")):
        started = time.monotonic()
        answer = client.request(method, f"{API}/{path}", **({"json": {"message": "hi"}} if method == "POST" else {}))
        assert_problem(answer, 503, "backend_unavailable")
        assert answer.headers["Retry-After"] == "2"
        assert time.monotonic() - started < IN_TIME_SECONDS


def assert_well(client: Client) -> None:
    def is_well() -> bool:
        return client.get(f"{API}/window/status").json()["mode"] != "degraded"

    wait_until(is_well, "the gateway has found its backend again", timeout_seconds=20)
    close_window(client)
    assert open_window(client)["mode"] == "window_active"
    assert close_window(client).status_code == 200
    assert client.get(f"{API}/settings").status_code == 200


@pytest.mark.timeout(TEST_SECONDS)
def test_f30_a_backend_that_crashed_or_hangs_is_missed_in_time_and_found_again(
    own_stack: OwnStack, recovery: Recovery
) -> None:
    stack = own_stack()
    principal = stack.client(stack.principal_token)
    other = stack.client(stack.principal_token, server=stack.b)
    publisher = stack.client(stack.service_token)
    backend = stack.backends[0]
    assert_well(principal)
    with principal.stream() as stream:
        stream.connected()
        backend.kill()
        # Also a gateway that no operator asks for anything notices.
        away = {"status": "ok", "degraded": ["backend"]}
        wait_until(lambda: principal.get("/ready").json() == away, "the gateway has noticed", timeout_seconds=12)
        assert_degraded(principal)
        assert_unavailable(principal)
        # What does not need the backend does not notice.
        assert len(principal.ticket()) == 36
        event_id = publisher.published({"event_type": "test.happened", "summary": "meanwhile"})["event_id"]
        assert stream.event()["event_id"] == event_id
        assert principal.get("/ready").json() == {"status": "ok", "degraded": ["backend"]}
        assert metric(principal, "vx11_backend_away") == 1
        assert_well(other)
    backend.start()
    with recovery("a gateway has found its backend again after a crash"):
        assert_well(principal)
    assert principal.get("/ready").json() == {"status": "ok", "degraded": []}
    backend.process.send(signal.SIGSTOP)
    try:
        assert_degraded(principal)
        assert_unavailable(principal)
        assert metric(principal, 'vx11_forwarded_total{outcome="late"}') > 0
    finally:
        backend.process.send(signal.SIGCONT)
    with recovery("a gateway has found its backend again that had stopped"):
        assert_well(principal)
    log = stack.a.process.log()
    assert "the backend is unavailable: away" in log
    assert "the backend is unavailable: late" in log
    assert log.count("the backend answers again") >= 2


@pytest.mark.timeout(TEST_SECONDS)
def test_with_a_backend_and_a_redis_that_hang_status_still_comes_before_front_ends_give_up(own_stack: OwnStack) -> None:
    stack = own_stack()
    principal = stack.client(stack.principal_token)
    assert_well(principal)
    backend = stack.backends[0].process
    backend.send(signal.SIGSTOP)
    try:
        with stack.redis.hung():
            started = time.monotonic()
            status = principal.get(f"{API}/status").json()
            assert time.monotonic() - started < IN_TIME_SECONDS
    finally:
        backend.send(signal.SIGCONT)
    assert (status["policy"], status["core_services"]["redis"]) == ("degraded", {"status": "DOWN"})
    assert_well(principal)


@pytest.fixture
def lost(own_stack: OwnStack) -> Iterator[tuple[Stack, Assistant]]:
    """Gateways at whose backend's address there is something else."""
    with Assistant() as something:
        yield own_stack(VX11_BACKEND_URL=something.url.removesuffix("/ask")), something


def test_something_else_at_its_address_is_no_backend(lost: tuple[Stack, Assistant]) -> None:
    stack, something = lost
    principal = stack.client(stack.principal_token)
    with Assistant() as elsewhere:
        for status, headers, body in (
            (200, {"Content-Type": "application/json"}, b'{"mode": "window_active"}'),
            (404, {"Content-Type": "text/html"}, b"<h1>Not here</h1>"),
            (302, {"Location": elsewhere.url}, b""),
            (401, {"Content-Type": "application/problem+json"}, b"{}"),
            (500, {"Content-Type": "application/json"}, b"{}"),
            (
                200,
                {"X-VX11-Operator": "p-0123456789", "Content-Type": "application/json"},
                b'{"settings": "of another"}',
            ),
        ):
            something.status, something.headers, something.body = status, headers, body
            assert_degraded(principal)
            assert_unavailable(principal)
        assert elsewhere.questions == []
    assert principal.get("/ready").status_code == 200


@pytest.mark.timeout(TEST_SECONDS)
def test_a_gateway_whose_token_is_refused_does_not_send_operators_away(own_stack: OwnStack) -> None:
    stack = own_stack()
    principal = stack.client(stack.principal_token)
    good = stack.token_file.read_text()
    only_publishes = stack.issue_token("service", scopes=("events:publish",))[0]
    for useless in ("nobody-has-this-token", only_publishes):
        stack.token_file.write_text(useless)
        wait_until(lambda: principal.get(f"{API}/settings").status_code != 200, "the gateway has read the new file")
        assert_unavailable(principal)
        assert_degraded(principal)
        stack.token_file.write_text(good)
        assert_well(principal)
    log = stack.a.process.log()
    assert "VX11_SERVICE_TOKEN is not accepted there (status 401)" in log
    assert "VX11_SERVICE_TOKEN is not accepted there (status 403)" in log
    assert metric(principal, 'vx11_forwarded_total{outcome="token_refused"}') >= 2
