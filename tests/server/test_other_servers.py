"""The application on servers that are not ours: slower and with fewer limits, but right."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.conftest import POSTGRES
from tests.server.big_events import MUCH_EVENTS, big_event, publish, reader, seqs_of, warm_up
from tests.server.crowd import Crowd
from tests.server.watching import (
    MEBIBYTE,
    SLOW_CLOSED,
    resident_bytes,
    serve_with,
    wait_for_metric,
)
from tests.server.wire import STREAM, WireStream
from tests.stacks import Size, Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

APPLICATION = "vx11_site.asgi:application"
PROGRAMS = Path(sys.executable).parent
# Their own access logs would hold tickets. What a server does with streams at its end is its own: one cuts them, the
# other waits for them as long as it is told to.
COMMANDS: dict[str, list[str]] = {
    "daphne": ["daphne", "--verbosity", "0", "--bind", "127.0.0.1", APPLICATION],
    "uvicorn": ["uvicorn", "--no-access-log", "--timeout-graceful-shutdown", "1", APPLICATION],
}


@pytest.fixture(scope="module", params=COMMANDS)
def served(
    request: pytest.FixtureRequest,
    stack_size: Size,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Stack]:
    """A stack whose server `a` is another program."""
    program, *options = COMMANDS[request.param]
    with Stack(stack_size, tmp_path_factory.mktemp("other"), postgres=pytestconfig.stash[POSTGRES]) as stack:
        serve_with(stack.a, [str(PROGRAMS / program), *options, "--port", str(stack.a.port)])
        yield stack
    stack.assert_clean_logs()


def cursor_at_start(client: Client) -> str:
    return str(client.polled(limit=1)["cursor"]).rpartition("-")[0] + "-0"


def test_streams_are_served_live_resumed_and_to_their_end(served: Stack, marker: str) -> None:
    principal, service = served.client(served.principal_token), served.client(served.service_token, server=served.b)
    event = {"event_type": "test.other", "summary": "one", "correlation_id": marker}
    with Crowd() as crowd:
        readers = crowd.open(served.a.url, served.principal_token, 20, query=f"correlation_id={marker}")
        seqs = [service.published(event)["seq"] for _ in range(20)]
        again = f"correlation_id={marker}&last_event_id={cursor_at_start(principal)}"
        with WireStream(served.a.url, served.principal_token, again) as resumed:
            assert [event["seq"] for event in resumed.read_events(20)] == seqs
        with WireStream(served.a.url, served.principal_token, f"{again}&follow=false") as whole:
            frames = whole.read_to_end()
        assert (seqs_of(frames), frames[-1].data["reason"]) == (seqs, "end_of_log")
        wait_for_metric(principal, "vx11_streams_active", 20)
        for one in readers:
            assert one.seqs == seqs
        crowd.close()
    wait_for_metric(principal, "vx11_streams_active", 0)


def test_what_is_refused_is_refused_and_a_ticket_is_good_for_one_stream(served: Stack) -> None:
    principal = served.client(served.principal_token)
    ticket = principal.ticket()
    assert_problem(principal.get(STREAM, headers={"Accept": "text/html"}), 406, "not_acceptable")
    assert_problem(principal.request("POST", STREAM), 405, "method_not_allowed")
    wrong = principal.request("GET", STREAM, headers={"X-VX11-Token": "wrong"})
    assert_problem(wrong, 401, "main_auth_failed", detail="invalid_token")
    assert principal.stream_status(token=ticket, method="HEAD") == 200
    assert principal.stream_status(token=ticket) == 200
    assert principal.stream_status(token=ticket) == 401
    answer = principal.post(f"{API}/events/sse-token", content=b"x" * (256 * 1024 + 1))
    assert_problem(answer, 413, "payload_too_large")


def test_a_reader_that_stops_and_goes_on_misses_nothing_and_others_are_on_time(served: Stack, marker: str) -> None:
    service = served.client(served.service_token, server=served.b)
    with Crowd() as crowd, reader(served, marker).caught_up() as stopped:
        (other,) = crowd.open(served.a.url, served.principal_token, 1, query=f"correlation_id={marker}")
        seqs = publish(service, big_event(marker), MUCH_EVENTS)
        wait_until(lambda: other.seqs == seqs, "the other has everything", timeout_seconds=2)
        assert [event["seq"] for event in stopped.read_events(len(seqs))] == seqs


# The other holds whatever it is given.
@pytest.mark.parametrize("served", ["uvicorn"], indirect=True)
def test_under_uvicorn_readers_that_stop_are_bounded_and_closed(served: Stack, marker: str) -> None:
    # So many that what an allocator does in between, some ten megabytes, is little for each.
    count = 20
    principal, service = served.client(served.principal_token), served.client(served.service_token, server=served.b)
    warm_up(served, service)
    with ExitStack() as open_readers:
        for _ in range(count):
            open_readers.enter_context(reader(served, marker).caught_up())
        before = resident_bytes(served.a)
        publish(service, big_event(marker), MUCH_EVENTS)
        wait_for_metric(principal, SLOW_CLOSED, count, seconds=30)
        assert (resident_bytes(served.a) - before) / count < 2 * MEBIBYTE
    wait_for_metric(principal, "vx11_streams_active", 0)


def test_when_such_a_server_is_stopped_nothing_of_ours_breaks(served: Stack) -> None:
    """The last of this module: how it ends its streams is its own affair, but the log stays clean."""
    with Crowd() as crowd:
        crowd.open(served.a.url, served.principal_token, 5)
        served.a.stop()
    assert not served.a.running
