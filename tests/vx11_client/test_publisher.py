"""Publisher and AsyncPublisher: durable or an exception that says what to do; the same tests for both."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.processes import free_port
from tests.vx11_client.publishers import TOKEN, Event, Log, Make, event, ids, quick_backoff, summaries
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem, taken
from vx11_client import (
    AsyncPublisher,
    EventsRefused,
    InvalidEvent,
    InvalidSettings,
    NotDelivered,
    Published,
    Publisher,
    ServerRefused,
)
from vx11_client.wire_limits import BATCH_LIMIT_EVENTS, EVENT_LIMIT_BYTES, REQUEST_LIMIT_BYTES

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
