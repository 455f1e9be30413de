"""The queue of both publishers: what is submitted arrives once and in order, or an exception has what did not."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import free_port
from tests.vx11_client.publishers import TOKEN, Log, Make, event, ids, quick_backoff, summaries
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem, taken
from tests.waiting import wait_until
from vx11_client import (
    Backoff,
    NotDelivered,
    Publisher,
    PublisherClosed,
    QueueFull,
    Refused,
)
from vx11_client.publishing.delivery import checked
from vx11_client.publishing.pending_queue import PendingQueue


@pytest.mark.parametrize("fails", [False, True])
def test_a_function_takes_refused_events_and_its_failure_stops_nothing(make: Make, *, fails: bool) -> None:
    got: list[Refused] = []

    def take(refused: Refused) -> None:
        got.append(refused)
        if fails:
            raise RuntimeError("of the program")

    def script(request: Request) -> Answer:
        return problem(409, "x") if "number 0" in request.body.decode() else taken(request)

    with ScriptedServer(script) as server, make(server.url, on_refused=take) as publisher:
        publisher.submit(event(0))
        publisher.submit(event(1))
    assert [one.event["summary"] for one in got] == ["number 0"]
    assert publisher.delivered_count == 1


def test_submitted_events_arrive_in_order_and_in_few_requests_and_leaving_the_block_sends_them(make: Make) -> None:
    with ScriptedServer(Log()) as server:
        with make(server.url, linger_seconds=30) as publisher:
            names = [publisher.submit(event(number)) for number in range(1200)]
        assert publisher.delivered_count == 1200
    assert [name for request in server.requests for name in ids(request)] == names
    assert [len(ids(request)) for request in server.requests] == [500, 500, 200]
    with pytest.raises(PublisherClosed, match="with"):
        publisher.submit(event())
    with pytest.raises(PublisherClosed):
        publisher.publish(event())


def test_an_event_that_is_changed_after_it_was_submitted_is_sent_as_it_was(make: Make) -> None:
    with ScriptedServer(Log()) as server, make(server.url, linger_seconds=30) as publisher:
        changed = event(1)
        publisher.submit(changed)
        changed["summary"] = "later"
    assert summaries(server) == ["number 1"]


def test_a_full_queue_raises_drops_or_waits_as_it_was_asked_to(make: Make) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    def full(when_full: str) -> Any:
        publisher = make(
            url, when_full=when_full, queue_events=2, give_up_after_seconds=0.1, close_seconds=0, linger_seconds=0
        )
        publisher.submit(event(1))
        publisher.submit(event(2))
        return publisher

    for when_full in ("raise", "wait"):
        with pytest.raises(NotDelivered) as caught, full(when_full) as publisher, pytest.raises(QueueFull):
            publisher.submit(event(3))
        assert [each["summary"] for each in caught.value.events] == ["number 1", "number 2"]
    publisher = full("drop")
    publisher.submit(event(3))
    assert publisher.dropped_count == 1
    with pytest.raises(NotDelivered):
        publisher.close()


def test_a_queue_holds_no_more_bytes_than_it_may_and_always_one_event() -> None:
    large, small = checked(event(payload={"x": "x" * 1000})), checked(event())
    queue = PendingQueue(limit_events=10, limit_bytes=1500)
    assert [queue.offer(large), queue.offer(large), queue.offer(small)] == [True, False, True]
    queue.settle(queue.first_batch())
    assert (len(queue), queue.settled_count) == (0, 2)
    assert PendingQueue(limit_bytes=10).offer(large)


def test_a_server_that_was_away_for_long_gets_everything_once_and_in_order() -> None:
    port = free_port()
    with Publisher(f"http://127.0.0.1:{port}", TOKEN, backoff=quick_backoff, queue_events=300) as publisher:
        writer = threading.Thread(target=lambda: [publisher.submit(event(number)) for number in range(1000)])
        writer.start()
        wait_until(lambda: publisher._background.waiting()[299:], "the queue is full and its writer waits")
        with ScriptedServer(Log(), port=port) as server:
            writer.join(20)
            publisher.flush(timeout_seconds=20)
    assert summaries(server) == [f"number {number}" for number in range(1000)]


def test_a_flush_tries_at_once_what_waits_for_its_next_try(make: Make) -> None:
    def slow() -> Backoff:
        return Backoff(first_seconds=600, longest_seconds=600)

    log = Log(problem(503, "draining"))
    with ScriptedServer(log) as server, make(server.url, backoff=slow, linger_seconds=0) as publisher:
        publisher.submit(event())
        with contextlib.suppress(NotDelivered):
            publisher.flush(timeout_seconds=0.5)
        publisher.flush(timeout_seconds=10)
    assert len(server.requests) == 2


def test_a_close_in_the_middle_of_a_request_ends_in_time_and_says_what_was_not_confirmed(make: Make) -> None:
    arrived = threading.Event()

    def script(request: Request) -> Answer:
        arrived.set()
        return Answer(201, body=never(server.over))

    server = ScriptedServer(script)
    with server:
        started = time.monotonic()
        publisher = make(server.url, close_seconds=0.3, linger_seconds=0)
        publisher.submit(event(1))
        with pytest.raises(NotDelivered, match="time of a?close.. was over") as caught:
            publisher.close()
        assert time.monotonic() - started < 5
        assert arrived.is_set()
    assert [each["summary"] for each in caught.value.events] == ["number 1"]


def never(over: threading.Event) -> Iterator[bytes]:
    over.wait(30)
    yield b""


def test_the_exception_of_the_block_is_not_replaced_by_that_of_closing(make: Make) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    publisher = make(url, close_seconds=0)
    publisher.submit(event())
    with pytest.raises(KeyError) as caught, publisher:
        raise KeyError("of the program")
    assert "closing the publisher failed" in caught.value.__notes__[0]


def test_many_threads_may_share_a_publisher() -> None:
    log = Log()
    with ScriptedServer(log) as server, Publisher(server.url, TOKEN) as publisher:

        def work() -> None:
            for number in range(50):
                publisher.submit(event(number))
            publisher.publish(event())

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(log.stored) == 4 * 51
