"""Faults: what was answered stays true when a server or the Redis beside it dies."""

import threading
from collections.abc import Callable

import httpx
import pytest

from tests.client import API, Client, Json
from tests.conftest import OwnStack
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

EVENTS = f"{API}/events"
PUBLISHERS = 4
ENOUGH_EVENTS = 200


class Publisher(threading.Thread):
    """Publishes one event after the other until told to stop, and remembers what it was told about each."""

    def __init__(self, client: Client, event: Json) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.event = event
        self.stored: dict[str, int] = {}
        self.refused: list[int] = []
        self.unanswered: list[str] = []
        self._enough = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._enough.is_set():
            number += 1
            event_id = f"{self.event['correlation_id']}.{self.name}.{number}"
            try:
                answer = self.client.publish({**self.event, "event_id": event_id}, timeout=5)
            except httpx.TransportError:
                self.unanswered.append(event_id)
                # There is nobody to talk to for the moment.
                self._enough.wait(0.1)
            else:
                if answer.status_code == 201:
                    self.stored[event_id] = answer.json()["seq"]
                else:
                    self.refused.append(answer.status_code)

    def stop(self) -> None:
        self._enough.set()
        self.join(20)


@pytest.fixture
def publishing() -> "Publishing":
    return Publishing()


class Publishing:
    """Several publishers at work."""

    def __init__(self) -> None:
        self.publishers: list[Publisher] = []

    def start(self, stack: Stack, event: Json, *, server: int = 0) -> None:
        client = stack.client(stack.service_token, server=stack.servers[server])
        self.publishers = [Publisher(client, event) for _ in range(PUBLISHERS)]
        for publisher in self.publishers:
            publisher.start()

    def stop(self) -> None:
        for publisher in self.publishers:
            publisher.stop()

    @property
    def stored(self) -> dict[str, int]:
        return {event_id: seq for publisher in self.publishers for event_id, seq in publisher.stored.copy().items()}

    @property
    def unanswered(self) -> set[str]:
        return {event_id for publisher in self.publishers for event_id in publisher.unanswered}

    @property
    def refused(self) -> list[int]:
        return [status for publisher in self.publishers for status in publisher.refused]


def whole_log(client: Client, *, since: str) -> dict[str, int]:
    """seq by event_id of all events after the cursor; fails when the same event comes twice or seq has a hole."""
    found: list[Json] = []
    more = True
    while more:
        page = client.polled(since=since, limit=500)
        found += page["events"]
        since, more = page["cursor"], page["has_more"]
    assert len({event["event_id"] for event in found}) == len(found)
    assert [event["seq"] for event in found] == list(range(found[0]["seq"], found[0]["seq"] + len(found)))
    return {event["event_id"]: event["seq"] for event in found}


def test_after_a_kill_in_the_middle_of_publishing_the_log_is_what_was_answered(
    own_stack: OwnStack, publishing: Publishing, new_event: Callable[..., Json]
) -> None:
    stack = own_stack()
    reader = stack.client(stack.principal_token)
    start = reader.cursor()
    publishing.start(stack, new_event())
    wait_until(lambda: len(publishing.stored) > ENOUGH_EVENTS, "many events are stored", timeout_seconds=30)

    stack.a.kill()
    wait_until(lambda: publishing.unanswered, "a publisher notices")
    stack.a.start()
    before_return = len(publishing.stored)
    wait_until(lambda: len(publishing.stored) > before_return + ENOUGH_EVENTS, "publishing goes on", timeout_seconds=30)
    publishing.stop()

    log = whole_log(reader, since=start)
    assert {event_id: log.get(event_id) for event_id in publishing.stored} == publishing.stored
    # What the dead server could not answer may be there or not; nothing else may be.
    assert log.keys() - publishing.stored.keys() <= publishing.unanswered
    assert publishing.refused == []


def test_after_a_kill_readers_that_return_with_their_cursor_miss_nothing(
    own_stack: OwnStack, publishing: Publishing, new_event: Callable[..., Json]
) -> None:
    stack = own_stack()
    reader = stack.client(stack.principal_token)
    start = cursor = reader.cursor()
    publishing.start(stack, new_event(), server=-1)
    seen: list[str] = []
    for _ in range(3):
        with reader.stream(last_event_id=cursor) as stream:
            for _ in range(ENOUGH_EVENTS // 4):
                frame = stream.next(lambda frame: frame.is_event, "an event")
                seen.append(frame.data["event_id"])
                cursor = frame.cursor
            stack.a.kill()
        stack.a.start()
    publishing.stop()
    with reader.stream(last_event_id=cursor, follow="false") as stream:
        seen += [frame.data["event_id"] for frame in stream.rest() if frame.is_event]

    log = whole_log(reader, since=start)
    assert seen == sorted(log, key=lambda event_id: log[event_id])
    assert publishing.stored.keys() <= log.keys()


def test_f01_without_redis_streams_and_publishing_go_on_and_tickets_are_refused_as_unavailable(
    own_stack: OwnStack, stack_size: str, new_event: Callable[..., Json]
) -> None:
    if stack_size == "embedded":
        pytest.skip("there is no Redis in an embedded stack")
    stack = own_stack()
    reader = stack.client(stack.principal_token)
    service = stack.client(stack.service_token, server=stack.b)
    with reader.stream() as stream:
        stream.connected()
        stack.redis.kill()

        published = [service.published(new_event())["event_id"] for _ in range(5)]

        assert [event["event_id"] for event in stream.events(5)] == published
        answer = reader.issue_ticket()
        assert (answer.status_code, answer.json()["reason"]) == (503, "dependency_unavailable")
        assert answer.headers["retry-after"]
        ready = reader.get("/ready")
        assert (ready.status_code, ready.json()["degraded"]) == (200, ["cache"])

        stack.redis.start()
        wait_until(lambda: reader.issue_ticket().status_code == 200, "tickets are issued again")
        after = service.published(new_event())["event_id"]
        assert stream.event()["event_id"] == after
