"""A server that is stopped says goodbye: in its time, not to all at one moment, and to nobody in half a sentence."""

import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.answers import assert_problem
from tests.client import API
from tests.conftest import OwnStack
from tests.metrics import figures
from tests.server.big_events import MUCH_EVENTS, big_event, publish, reader
from tests.server.crowd import Crowd
from tests.server.publisher import Publisher
from tests.server.watching import wait_for_line
from tests.server.wire import STREAM, Wire, request
from tests.stacks import Stack
from tests.waiting import wait_until

STREAMS = 100
DRAIN_SECONDS = 5
# To leave after the grace time, on a busy machine: threads are joined, the database is closed.
LEAVE_SECONDS = 4

pytestmark = pytest.mark.timeout(90)


def draining(stack: Stack) -> bool:
    """Whether /ready says so."""
    answer = stack.client(None).get("/ready")
    return answer.status_code == 503 and "draining" in answer.text


@pytest.mark.faults
def test_f14_a_hundred_readers_hear_goodbye_spread_over_the_grace_time(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS=str(DRAIN_SECONDS))
    with Crowd() as crowd:
        readers = crowd.open(stack.a.url, stack.principal_token, STREAMS)
        began = time.monotonic()
        stack.a.process.send(signal.SIGTERM)
        assert stack.a.process.wait() == 0
        assert time.monotonic() - began < DRAIN_SECONDS + LEAVE_SECONDS
        wait_until(lambda: all(reader.ended_at for reader in readers), "all have read their end")

    assert {reader.end["reason"] for reader in readers} == {"draining"}
    assert all(reader.whole for reader in readers), "an answer was broken off"
    retries = [reader.end["retry_ms"] for reader in readers]
    assert all(3000 <= retry <= 7000 for retry in retries)
    assert statistics.pstdev(retries) > 500
    ends = sorted(reader.ended_at for reader in readers)
    assert ends[-1] - ends[0] > 1
    # No heap of them anywhere: no fifth of the time has half of the ends.
    fifth = (ends[-1] - ends[0]) / 5
    assert all(sum(end <= other < end + fifth for other in ends) < STREAMS / 2 for end in ends)


@pytest.mark.faults
def test_f14_while_streams_are_ended_the_process_is_not_ready_but_works(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS=str(2 * DRAIN_SECONDS))
    principal, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    ticket = principal.ticket()
    with Crowd() as crowd:
        readers = crowd.open(stack.a.url, stack.principal_token, STREAMS)
        stack.a.process.send(signal.SIGTERM)
        wait_until(lambda: draining(stack), "/ready names draining")
        assert stack.client(None).get("/health").status_code == 200

        refused = stack.client(None).get(STREAM, params={"token": ticket})
        assert_problem(refused, 503, "draining")
        assert int(refused.headers["retry-after"]) > 0

        published = service.publish({"event_type": "test.late", "summary": "published while draining"})
        assert published.status_code == 201
        seq = published.json()["seq"]
        still_open = [reader for reader in readers if not reader.end]
        wait_until(lambda: any(seq in reader.seqs for reader in still_open), "a stream that is open gets the event")
        for reader in readers:
            # In order and nothing else; those that had their end already get it when they come back.
            assert reader.seqs in ([], [seq])
        assert stack.a.process.wait() == 0

    # The ticket was not used up by the refusal; a restart forgets those that are kept in the process.
    if stack.size == "scaled":
        stack.a.start()
        assert stack.client(None, server=stack.a).stream_status(token=ticket) == 200


def test_f14_a_long_poll_is_answered_early(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS=str(DRAIN_SECONDS))
    principal = stack.client(stack.principal_token)
    cursor = principal.cursor()
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        polling = pool.submit(principal.polled, since=cursor, wait=20)
        wait_until(lambda: open_requests(stack) > 0, "the poll waits")
        stack.a.process.send(signal.SIGTERM)
        page = polling.result(20)
        assert time.monotonic() - began < DRAIN_SECONDS
    assert (page["events"], page["cursor"]) == ([], cursor)
    assert stack.a.process.wait() == 0


def open_requests(stack: Stack) -> int:
    """Connections besides the one that asks."""
    return int(figures(stack.client(stack.principal_token))["vx11_connections_open"]) - 1


def test_f14_a_second_sigterm_ends_at_once(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS="30")
    with Crowd() as crowd:
        crowd.open(stack.a.url, stack.principal_token, STREAMS)
        stack.a.process.send(signal.SIGTERM)
        wait_until(lambda: draining(stack), "/ready names draining")
        began = time.monotonic()
        stack.a.process.send(signal.SIGTERM)
        stack.a.process.wait()
        assert time.monotonic() - began < LEAVE_SECONDS


def test_f14_an_interrupt_from_the_keyboard_is_the_same(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS=str(DRAIN_SECONDS))
    with Crowd() as crowd:
        readers = crowd.open(stack.a.url, stack.principal_token, 3)
        assert stack.a.process.end(signal.SIGINT) == 0
        wait_until(lambda: all(reader.ended_at for reader in readers), "all have read their end")
    assert all(reader.whole and reader.end["reason"] == "draining" for reader in readers)


def test_f14_without_streams_the_process_ends_at_once(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS="30")
    assert stack.client(stack.principal_token).get(f"{API}/window/status").status_code == 200
    began = time.monotonic()
    assert stack.a.stop() == 0
    assert time.monotonic() - began < LEAVE_SECONDS


def test_f14_a_reader_that_does_not_read_does_not_hold_up_the_end(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS="2")
    service = stack.client(stack.service_token)
    with reader(stack, "stopped").caught_up(), Wire(stack.a.url) as silent:
        publish(service, big_event("stopped"), MUCH_EVENTS)
        silent.send(request("POST", f"{API}/events", {"Content-Length": "100"}, b"{"))
        began = time.monotonic()
        assert stack.a.stop() == 0
        assert time.monotonic() - began < 2 + LEAVE_SECONDS
        wait_for_line(stack.a, "stream closed", "reason=")


def test_f14_a_kept_connection_is_told_to_close_while_draining(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS=str(DRAIN_SECONDS))
    with Crowd() as crowd, Wire(stack.a.url) as kept:
        crowd.open(stack.a.url, stack.principal_token, STREAMS)
        kept.send(request("GET", "/health"))
        assert kept.answer().headers.get("connection") != "close"
        stack.a.process.send(signal.SIGTERM)
        wait_until(lambda: draining(stack), "/ready names draining")
        kept.send(request("GET", "/health"))
        answer = kept.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert kept.rest() == b""
        assert stack.a.process.wait() == 0


@pytest.mark.faults
def test_f14_publishers_are_told_the_truth_until_the_end_and_readers_who_return_miss_nothing(
    own_stack: OwnStack,
) -> None:
    stack = own_stack(VX11_DRAIN_SECONDS="2")
    with Crowd() as crowd:
        readers = crowd.open(stack.a.url, stack.principal_token, STREAMS, returns=True)
        publisher = Publisher(stack.client(stack.service_token), events_per_second=30)
        publisher.start()
        wait_until(lambda: len(publisher.durable) > 20, "events flow")
        stack.a.restart()
        wait_until(lambda: all(reader.times_opened > 1 for reader in readers), "all are back", timeout_seconds=30)
        durable = publisher.stop()
        wait_until(lambda: all(reader.seqs and reader.seqs[-1] >= durable[-1] for reader in readers), "all caught up")
    for reader_ in readers:
        assert set(durable) <= set(reader_.seqs)
        assert reader_.seqs == sorted(set(reader_.seqs))
        assert reader_.problems == []
