"""vx11_client against a real server that is restarted and killed under it: everything once and in order."""

import contextlib
import threading

import pytest

from tests.client import Client
from tests.conftest import OwnStack
from tests.stack.module_log import summaries
from tests.stacks import Stack
from vx11_client import (
    Backoff,
    EventsRefused,
    NotDelivered,
    Publisher,
    Received,
    Reconnecting,
    ServerRefused,
    StreamEnded,
    StreamReset,
    follow,
)

# A client: it reaches the server by HTTP alone.
pytestmark = pytest.mark.once


def quick() -> Backoff:
    return Backoff(first_seconds=0.05, longest_seconds=0.5)


def event(number: int, module: str) -> dict[str, object]:
    return {"event_type": "test.happened", "summary": f"number {number}", "module": module}


def test_an_event_is_where_its_receipt_says_and_the_same_again_is_the_same_event(
    stack: Stack, principal: Client, marker: str
) -> None:
    before = principal.cursor()
    with Publisher(stack.a.url, stack.service_token) as publisher:
        first = publisher.publish({**event(1, marker), "event_id": marker})
        assert publisher.publish({**event(1, marker), "event_id": marker}).seq == first.seq
        with pytest.raises(EventsRefused, match="409"):
            publisher.publish({**event(2, marker), "event_id": marker})
        with pytest.raises(EventsRefused, match="window.x is reserved"):
            publisher.publish({**event(3, marker), "event_type": "window.x"})
    items = follow(stack.a.url, stack.principal_token, since=before, filters={"module": marker}, to_the_end=True)
    (received,) = (item for item in items if isinstance(item, Received))
    assert (received.event["seq"], received.event["event_id"], received.cursor) == (first.seq, marker, first.cursor)


def test_a_server_that_is_killed_again_and_again_has_all_events_once_and_a_reader_sees_them_so(
    own_stack: OwnStack, marker: str
) -> None:
    stack = own_stack()
    seen: list[str] = []
    breaks: list[object] = []
    begun = threading.Event()

    def read() -> None:
        reading = follow(stack.a.url, stack.principal_token, filters={"module": marker}, backoff=quick())
        with contextlib.closing(reading) as items:
            for item in items:
                begun.set()
                if isinstance(item, Received):
                    seen.append(item.event["summary"])
                elif isinstance(item, Reconnecting | StreamReset):
                    breaks.append(item)
                if len(seen) == 2000:
                    return

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(20)
    with Publisher(stack.a.url, stack.service_token, backoff=quick, linger_seconds=0) as publisher:
        for number in range(2000):
            publisher.submit(event(number, marker))
            if number % 700 == 350:
                stack.a.kill()
                stack.a.start()
        publisher.flush(timeout_seconds=30)
    reader.join(30)
    assert not reader.is_alive()
    expected = [f"number {number}" for number in range(2000)]
    assert summaries(stack.client(stack.principal_token), marker) == expected
    assert seen == expected
    assert any(isinstance(item, Reconnecting) for item in breaks)
    assert not any(isinstance(item, StreamReset) for item in breaks)


def test_a_token_of_another_tier_is_refused(stack: Stack, marker: str) -> None:
    with Publisher(stack.a.url, stack.principal_token) as publisher, pytest.raises(ServerRefused) as caught:
        publisher.publish(event(1, marker))
    assert caught.value.credential
    with pytest.raises(ServerRefused) as of_the_reader:
        next(follow(stack.a.url, stack.service_token))
    assert of_the_reader.value.credential


def test_a_cursor_that_is_none_is_refused_and_one_of_another_log_is_a_reset(stack: Stack) -> None:
    with pytest.raises(ServerRefused, match="bad_cursor"):
        list(follow(stack.a.url, stack.principal_token, since="no cursor!"))
    items = list(follow(stack.a.url, stack.principal_token, since="abcd-7", to_the_end=True))
    assert [item.reason for item in items if isinstance(item, StreamReset)] == ["epoch"]


def test_a_reader_whose_token_is_revoked_ends(stack: Stack) -> None:
    token, public_id = stack.issue_token("principal", scopes=("events:read", "tickets:issue"))
    items = follow(stack.a.url, token)
    assert next(items)
    stack.revoke_token(public_id)
    with pytest.raises(StreamEnded) as caught:
        for _ in items:
            pass
    assert caught.value.reason == "revoked"


def test_a_server_that_drains_is_a_reconnect_with_its_reason(own_stack: OwnStack) -> None:
    stack = own_stack()
    with contextlib.closing(follow(stack.a.url, stack.principal_token, backoff=quick())) as items:
        assert next(items)
        stopping = threading.Thread(target=stack.a.stop)
        stopping.start()
        ended = next(item for item in items if isinstance(item, Reconnecting))
        stopping.join(20)
        assert ended.stream_end == "draining"
    with pytest.raises(NotDelivered), Publisher(stack.a.url, stack.service_token, give_up_after_seconds=0) as publisher:
        publisher.publish(event(1, "m"))
