"""Publisher and AsyncPublisher: durable or an exception that says what to do; the same tests for both."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.processes import free_port
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem, taken
from tests.waiting import wait_until
from vx11_client import (
    AsyncPublisher,
    Backoff,
    EventsRefused,
    InvalidEvent,
    InvalidSettings,
    NotDelivered,
    Published,
    Publisher,
    PublisherClosed,
    QueueFull,
    Refused,
    ServerRefused,
)
from vx11_client.delivery import checked
from vx11_client.pending_queue import PendingQueue
from vx11_client.wire_limits import BATCH_LIMIT_EVENTS, EVENT_LIMIT_BYTES, REQUEST_LIMIT_BYTES

Event = Mapping[str, object]
TOKEN = "service-token"


def quick_backoff() -> Backoff:
    return Backoff(first_seconds=0.01, longest_seconds=0.05)


class FromAsync:
    """An AsyncPublisher with the methods of a Publisher. Its queue is sent while one of them runs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._inner = self._runner.run(self._made(*arguments, **options))

    async def _made(self, *arguments: Any, **options: Any) -> AsyncPublisher:
        return AsyncPublisher(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, "aclose" if name == "close" else name)
        if not callable(found):
            return found
        return lambda *arguments, **options: self._runner.run(found(*arguments, **options))

    def __enter__(self) -> "FromAsync":
        return self

    def __exit__(self, *reason: Any) -> None:
        self._runner.run(self._inner.__aexit__(*reason))

    def end(self) -> None:
        """At the end of the test, also after its block: calls of a closed publisher are tests too."""
        self._runner.close()


Make = Callable[..., Any]


@pytest.fixture(params=[Publisher, FromAsync], ids=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes a publisher that waits little between tries."""
    made: list[Any] = []

    def publisher(url: str, **options: Any) -> Any:
        made.append(request.param(url, TOKEN, **{"backoff": quick_backoff, **options}))
        return made[-1]

    yield publisher
    for each in made:
        if isinstance(each, FromAsync):
            each.end()


def event(number: int = 0, **fields: object) -> dict[str, object]:
    return {"event_type": "test.happened", "summary": f"number {number}", **fields}


def ids(request: Request) -> list[str]:
    return [each["event_id"] for each in request.json["events"]]


def summaries(server: ScriptedServer) -> list[str]:
    return [each["summary"] for request in server.requests for each in request.json["events"]]


class Log:
    """A server's log: stores each event_id once, and then answers what `answers` has next in place of the receipt."""

    def __init__(self, *answers: Answer) -> None:
        self.stored: dict[str, int] = {}
        self._answers = iter(answers)

    def __call__(self, request: Request) -> Answer:
        for event_id in ids(request):
            self.stored.setdefault(event_id, len(self.stored) + 1)
        receipts = [{"event_id": event_id, "seq": self.stored[event_id]} for event_id in ids(request)]
        return next(self._answers, Answer(201, json={"events": receipts, "cursor": f"k-{len(self.stored)}"}))


CUT = Answer(201, body=[b'{"events": [{"event_id"'], headers={"Content-Length": "500"})


def test_publish_gives_the_place_of_the_event_in_the_log(make: Make) -> None:
    with ScriptedServer(Log()) as server, make(f"{server.url}/") as publisher:
        first = publisher.publish(event(1))
        own = publisher.publish(event(2, event_id="mine"))
    assert (first.seq, first.cursor) == (1, "k-1")
    assert own == Published("mine", 2, "k-2")
    request = server.requests[0]
    assert (request.path, request.headers["x-vx11-token"]) == ("/operator/api/events", TOKEN)
    assert ids(request) == [first.event_id]


def test_many_events_go_in_requests_within_the_limits_and_come_back_in_their_order(make: Make) -> None:
    many = [event(number) for number in range(2 * BATCH_LIMIT_EVENTS + 1)]
    large = [event(number, payload={"text": "x" * 60_000}) for number in range(100)]
    with ScriptedServer(Log()) as server, make(server.url) as publisher:
        assert [one.seq for one in publisher.publish_many(many)] == list(range(1, len(many) + 1))
        publisher.publish_many(large)
        assert publisher.publish_many([]) == []
    assert [len(ids(request)) for request in server.requests[:3]] == [BATCH_LIMIT_EVENTS, BATCH_LIMIT_EVENTS, 1]
    assert max(len(request.body) for request in server.requests) <= REQUEST_LIMIT_BYTES
    assert summaries(server) == [str(each["summary"]) for each in [*many, *large]]


@pytest.mark.parametrize(
    "lost", [Answer(hang_up=True), CUT, Answer(502, json="a proxy")], ids=["no answer", "cut in its body", "proxy"]
)
def test_an_answer_that_is_lost_after_the_events_were_stored_doubles_nothing(make: Make, lost: Answer) -> None:
    log = Log(lost, lost)
    with ScriptedServer(log) as server, make(server.url) as publisher:
        published = publisher.publish_many([event(1), event(2)])
    assert len(server.requests) == 3
    assert len({request.body for request in server.requests}) == 1
    assert {one.event_id: one.seq for one in published} == log.stored


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_server_asks_for_is_kept(make: Make, status: int) -> None:
    asked = problem(status, "later", headers={"Retry-After": "1"})
    with ScriptedServer(Log(asked)) as server, make(server.url) as publisher:
        started = time.monotonic()
        publisher.publish(event())
        assert time.monotonic() - started >= 1


def test_who_gives_up_gets_the_events_with_their_ids_to_publish_them_again(make: Make) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with make(url, give_up_after_seconds=0.2) as publisher, pytest.raises(NotDelivered, match="1 events") as caught:
        publisher.publish(event(1))
    (kept,) = caught.value.events
    assert kept["summary"] == "number 1"
    assert "Publish error.events again" in caught.value.__notes__[0]
    with ScriptedServer(Log()) as server, make(server.url) as publisher:
        assert publisher.publish(kept).event_id == kept["event_id"]


def test_events_that_the_server_refuses_are_named_and_the_others_are_stored(make: Make) -> None:
    def script(request: Request) -> Answer:
        bad = [at for at, each in enumerate(request.json["events"]) if each["summary"] == "number 1"]
        return problem(422, "validation_error", errors={f"events[{bad[0]}].module": ["?"]}) if bad else taken(request)

    with ScriptedServer(script) as server, make(server.url) as publisher:
        with pytest.raises(EventsRefused, match="refused 1 of 3 events: events.1..module: ?") as caught:
            publisher.publish_many([event(0), event(1), event(2)])
        publisher.submit(event(1))
        publisher.submit(event(3))
        with pytest.raises(EventsRefused) as of_the_queue:
            publisher.flush()
        publisher.flush()
        assert (publisher.delivered_count, publisher.refused_count) == (1, 1)
    (refused,) = caught.value.refused
    assert (refused.event["summary"], refused.reason) == ("number 1", "events[1].module: ?")
    assert len(caught.value.published) == 2
    assert [one.event["summary"] for one in of_the_queue.value.refused] == ["number 1"]


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


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_token_or_address_is_an_exception_with_advice(make: Make, status: int) -> None:
    with ScriptedServer(lambda _request: problem(status, "no")) as server:
        with make(server.url) as publisher:
            with pytest.raises(ServerRefused, match=f"{status} no") as caught:
                publisher.publish(event())
            assert ("token" if status < 404 else "url") in caught.value.__notes__[0]
        publisher = make(server.url)
        publisher.submit(event())
        for _ in range(2):
            with pytest.raises(ServerRefused):
                publisher.flush()
        with pytest.raises(ServerRefused):
            publisher.submit(event())
        with pytest.raises(ServerRefused), publisher:
            pass


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"summary": "x"}, "needs event_type"),
        ({"event_type": "a", "summary": ""}, "needs summary"),
        (event(payload={"x": object()}), "cannot be written as JSON"),
        (event(payload={"x": 2**70}), "cannot be written as JSON"),
        (event(payload={"x": "\ud800"}), "cannot be written as JSON"),
        (event(payload={"x": "x" * EVENT_LIMIT_BYTES}), "shorten its payload"),
    ],
)
def test_what_cannot_be_an_event_is_an_exception_before_anything_is_sent(make: Make, bad: Event, words: str) -> None:
    with ScriptedServer(Log()) as server, make(server.url) as publisher:
        for call in (lambda: publisher.submit(bad), lambda: publisher.publish_many([event(), bad])):
            with pytest.raises(InvalidEvent, match=words):
                call()
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "token", "options"),
    [
        ("operator.example.org", "t", {}),
        ("http://user:secret@host", "t", {}),
        ("http://host", "", {}),
        ("http://host", "two words", {}),
        ("http://host", "t", {"when_full": "explode"}),
    ],
)
@pytest.mark.parametrize("kind", [Publisher, AsyncPublisher])
def test_settings_that_cannot_be_used_are_refused_and_never_shown(
    kind: Callable[..., object], url: str, token: str, options: dict[str, str]
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        kind(url, token, **options)
    assert "secret" not in str(caught.value)
    assert "two words" not in str(caught.value)


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


def test_a_full_queue_raises_drops_or_waits_as_it_was_told(make: Make) -> None:
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


async def test_a_cancelled_call_leaves_the_publisher_usable() -> None:
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def script(request: Request) -> Answer:
        if not arrived.is_set():
            loop.call_soon_threadsafe(arrived.set)
            server.over.wait(1)
        return taken(request)

    server = ScriptedServer(script)
    with server:
        async with AsyncPublisher(server.url, TOKEN, backoff=quick_backoff) as publisher:
            call = asyncio.ensure_future(publisher.publish(event(1)))
            await arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert (await publisher.publish(event(2))).seq == 1
