"""The reader: every event once, through whatever happens to its connection."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import orjson
import pytest

from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem
from vx11_client.backoff import Backoff
from vx11_client.http_answers import ServerRefused
from vx11_client.reading.stream_reader import (
    TICKET_TRIES,
    CaughtUp,
    Connected,
    Heartbeat,
    Item,
    Received,
    Reconnecting,
    StreamEnded,
    StreamReader,
    StreamReset,
)

Pieces = Iterable[bytes]


def frame(data: object, *, name: str = "", cursor: str = "") -> bytes:
    fields = ([f"event: {name}"] if name else []) + ([f"id: {cursor}"] if cursor else [])
    return "\n".join([*fields, f"data: {orjson.dumps(data).decode()}", "", ""]).encode()


def event(seq: int) -> bytes:
    return frame({"type": "event", "seq": seq}, cursor=f"k-{seq}")


def connected(cursor: str = "k-0", *, heartbeat_seconds: float = 10) -> bytes:
    return frame({"type": "connected", "cursor": cursor, "heartbeat_sec": heartbeat_seconds}, cursor=cursor)


def stream_end(reason: str, retry_ms: int = 0) -> bytes:
    return frame({"reason": reason, "retry_ms": retry_ms}, name="stream-end")


class Operator:
    """A server with one stream after the other. A script that is a function gets the request; a list is the body."""

    def __init__(self, *streams: Pieces | Answer) -> None:
        self.tickets = 0
        self._streams = iter(streams)

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/sse-token"):
            self.tickets += 1
            return Answer(json={"sse_token": f"ticket-{self.tickets}"})
        stream = next(self._streams, [stream_end("end_of_log")])
        return stream if isinstance(stream, Answer) else Answer(body=stream)


async def collect(
    server: ScriptedServer, until: Callable[[Item], bool], filters: Mapping[str, list[str]], cursor: str, *, last: int
) -> list[Item]:
    reader = StreamReader(
        url=server.url, token="principal-token", filters=filters, cursor=cursor, backoff=Backoff(first_seconds=0.01)
    )
    items: list[Item] = []
    try:
        for source in [reader.newest(last), reader.follow()] if last else [reader.follow()]:
            async with contextlib.aclosing(source):
                async for item in source:
                    items.append(item)
                    if until(item):
                        return items
    finally:
        await reader.close()
    return items


def read(
    script: Callable[[Request], Answer],
    *,
    until: Callable[[Item], bool] = lambda _item: False,
    filters: Mapping[str, list[str]] | None = None,
    cursor: str = "",
    last: int = 0,
) -> tuple[ScriptedServer, list[Item]]:
    """Reads until the server says end_of_log, or `until` is true of an item."""
    with ScriptedServer(script) as server:
        return server, asyncio.run(collect(server, until, filters or {}, cursor, last=last))


def seqs(items: list[Item]) -> list[int]:
    return [item.event["seq"] for item in items if isinstance(item, Received)]


def of_kind(items: list[Item], kind: type[Item]) -> list[Item]:
    return [item for item in items if isinstance(item, kind)]


def test_a_stream_is_opened_with_a_ticket_and_the_token_stays_in_a_header() -> None:
    server, items = read(Operator([connected(), event(1), stream_end("end_of_log")]))

    ticket_request, stream_request = server.requests
    assert ticket_request.headers["x-vx11-token"] == "principal-token"
    assert stream_request.query == {"token": ["ticket-1"]}
    assert "x-vx11-token" not in stream_request.headers
    assert items == [Connected("k-0"), Received({"type": "event", "seq": 1}, "k-1")]


def test_filters_and_the_cursor_go_with_the_request() -> None:
    filters = {"severity": ["error", "critical"], "module": ["nginx"], "event_type": []}
    server, _ = read(Operator(), filters=filters, cursor="k-7")
    request = server.asked("/stream")[0]
    assert request.query == {"token": ["ticket-1"], "severity": ["error", "critical"], "module": ["nginx"]}
    assert request.headers["last-event-id"] == "k-7"


def test_what_the_server_says_about_the_stream_is_given_to_the_caller() -> None:
    heartbeat = frame({"cursor": "k-5", "time": "..."}, name="heartbeat", cursor="k-5")
    live = frame({"cursor": "k-5"}, name="caught-up", cursor="k-5")
    unknown = frame({"x": 1}, name="of-a-later-version")
    _, items = read(Operator([b"retry: 1\n\n", connected("k-4"), live, b": keep-alive 0\n\n", heartbeat, unknown]))
    assert items[:3] == [Connected("k-4"), CaughtUp("k-5"), Heartbeat("k-5")]


@pytest.mark.parametrize(
    "break_off",
    [
        # Closed by the server, without and with a word; in the middle of a message.
        [],
        [stream_end("draining")],
        [stream_end("max_age")],
        [stream_end("slow_consumer")],
        [b"id: k-3\ndata: {"],
        [b"data: not json\n\n"],
        [b"data: " + b"x" * 2_000_000],
    ],
)
def test_a_broken_stream_goes_on_from_its_last_event_with_a_new_ticket(break_off: list[bytes]) -> None:
    server, items = read(Operator([connected(), event(1), event(2), *break_off], [connected("k-2"), event(3)]))

    first, second, third = server.asked("/stream")
    assert "last-event-id" not in first.headers
    assert (second.headers["last-event-id"], second.query["token"]) == ("k-2", ["ticket-2"])
    assert third.headers["last-event-id"] == "k-3"
    assert seqs(items) == [1, 2, 3]
    assert len(of_kind(items, Reconnecting)) == 2


def test_a_heartbeat_moves_the_cursor_of_a_reader_that_sees_no_events() -> None:
    heartbeat = frame({"cursor": "k-900"}, name="heartbeat", cursor="k-900")
    server, _ = read(Operator([connected(), heartbeat]))
    assert server.asked("/stream")[1].headers["last-event-id"] == "k-900"


def test_the_wait_that_a_stream_end_asks_for_is_kept() -> None:
    _, items = read(Operator([connected(), stream_end("draining", retry_ms=300)]))
    (waiting,) = of_kind(items, Reconnecting)
    assert isinstance(waiting, Reconnecting)
    assert waiting.seconds > 0.3
    assert "draining" in waiting.reason
    assert waiting.stream_end == "draining"


def test_after_a_break_the_wait_that_the_stream_named_is_kept() -> None:
    _, items = read(Operator([b"retry: 200\n\n", connected()]))
    (waiting,) = of_kind(items, Reconnecting)
    assert isinstance(waiting, Reconnecting)
    assert waiting.seconds > 0.2


def test_silence_is_noticed_by_the_heartbeats_that_do_not_come() -> None:
    def silent() -> Iterator[bytes]:
        yield connected(heartbeat_seconds=0.05) + event(1)
        server.over.wait(30)

    with ScriptedServer(Operator(silent(), [connected("k-1"), event(2), stream_end("end_of_log")])) as server:
        items = asyncio.run(collect(server, lambda _item: False, {}, "", last=0))
    assert seqs(items) == [1, 2]
    (waiting,) = of_kind(items, Reconnecting)
    assert isinstance(waiting, Reconnecting)
    assert "not even a heartbeat" in waiting.reason


def test_a_gap_is_reported_and_reading_goes_on_from_the_newest() -> None:
    reset = frame({"reason": "expired", "oldest": "k-50", "newest": "k-80"}, name="stream-reset", cursor="k-80")
    server, items = read(Operator([connected("k-1"), reset], [stream_end("end_of_log")]), cursor="k-1")
    assert of_kind(items, StreamReset) == [StreamReset("expired", "k-80", "k-50")]
    assert server.asked("/stream")[1].headers["last-event-id"] == "k-80"


@pytest.mark.parametrize("reason", ["revoked", "expired", "disconnected_by_admin"])
def test_a_stream_that_ends_for_good_is_not_opened_again(reason: str) -> None:
    operator = Operator([connected(), stream_end(reason)])
    with pytest.raises(StreamEnded, match=reason):
        read(operator)
    assert operator.tickets == 1


@pytest.mark.parametrize("trouble", [problem(503, "draining"), problem(429, "too_many_streams"), Answer(hang_up=True)])
def test_a_passing_trouble_of_the_stream_is_tried_again(trouble: Answer) -> None:
    _, items = read(Operator(trouble, trouble, [connected(), event(1), stream_end("end_of_log")]))
    assert len(of_kind(items, Reconnecting)) == 2
    assert seqs(items) == [1]


def test_a_passing_trouble_of_the_tickets_is_tried_again_after_the_time_it_asks_for() -> None:
    operator = Operator([connected(), event(1), stream_end("end_of_log")])
    troubles = iter([problem(503, "dependency_unavailable", headers={"Retry-After": "1"})])
    _, items = read(lambda request: next(troubles, None) or operator(request))
    (waiting,) = of_kind(items, Reconnecting)
    assert isinstance(waiting, Reconnecting)
    assert waiting.seconds > 1
    assert seqs(items) == [1]


def test_a_ticket_that_expired_on_its_way_is_replaced_and_a_server_that_takes_none_is_given_up() -> None:
    refused = problem(401, "invalid_token")
    _, items = read(Operator(refused, [connected(), event(1), stream_end("end_of_log")]))
    assert seqs(items) == [1]

    operator = Operator(*[refused] * 100)
    with pytest.raises(ServerRefused):
        read(operator)
    assert operator.tickets == TICKET_TRIES


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "bad_cursor"), (403, "insufficient_scope"), (422, "x"), (404, "y")]
)
def test_a_request_that_the_server_does_not_take_ends_the_reading(status: int, reason: str) -> None:
    with pytest.raises(ServerRefused, match=reason):
        read(Operator(problem(status, reason)))


@pytest.mark.parametrize("answer", [problem(401, "main_auth_failed"), problem(403, "x"), Answer(body=[b"<html>"])])
def test_without_a_ticket_there_is_no_stream(answer: Answer) -> None:
    with pytest.raises(ServerRefused):
        read(lambda _request: answer)


def test_the_newest_come_first_and_the_stream_goes_on_after_them() -> None:
    operator = Operator([connected("k-9"), event(10), stream_end("end_of_log")])
    troubles = iter([problem(503, "draining")])

    def script(request: Request) -> Answer:
        if request.path.endswith("/events"):
            return next(troubles, Answer(json={"events": [{"seq": 8}, {"seq": 9}], "cursor": "k-9"}))
        return operator(request)

    server, items = read(script, last=2, filters={"module": ["m"]})
    assert server.asked("/events")[0].query == {"limit": ["2"], "module": ["m"]}
    assert server.asked("/stream")[0].headers["last-event-id"] == "k-9"
    assert seqs(items) == [8, 9, 10]


def test_n04_the_newest_are_looked_for_until_enough_are_found_or_all_was_looked_at() -> None:
    operator = Operator([connected("k-9"), stream_end("end_of_log")])
    ended = {"cursor": "k-9", "complete": False, "has_more": True}
    pages = iter(
        [
            {**ended, "events": [], "first_cursor": "k-7"},
            {**ended, "events": [{"seq": 5}], "first_cursor": "k-4", "cursor": "k-4"},
            {"events": [{"seq": 1}, {"seq": 2}], "cursor": "k-1", "first_cursor": "k-1", "complete": True},
        ]
    )

    def script(request: Request) -> Answer:
        return Answer(json=next(pages)) if request.path.endswith("/events") else operator(request)

    server, items = read(script, last=4)
    asked = [request.query for request in server.asked("/events")]
    assert asked == [{"limit": ["4"]}, {"limit": ["4"], "before": ["k-7"]}, {"limit": ["3"], "before": ["k-4"]}]
    assert seqs(items) == [1, 2, 5]
    # The stream goes on after the newest, wherever the search has ended.
    assert server.asked("/stream")[0].headers["last-event-id"] == "k-9"


def test_a_reader_that_has_enough_leaves_its_stream() -> None:
    def endless() -> Iterator[bytes]:
        yield connected()
        for seq in range(1, 1_000_000):
            yield event(seq)

    _, items = read(Operator(endless()), until=lambda item: isinstance(item, Received) and item.event["seq"] == 5)
    assert seqs(items) == [1, 2, 3, 4, 5]
