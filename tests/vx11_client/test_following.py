"""follow() and afollow(): what a program sees of a stream. What the reader does inside is in test_stream_reader.py."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.processes import free_port
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem
from tests.vx11_client.test_stream_reader import Operator, connected, event, frame, stream_end
from vx11_client import (
    Backoff,
    CaughtUp,
    ClientError,
    Connected,
    InvalidSettings,
    Item,
    Received,
    Reconnecting,
    ServerRefused,
    StreamEnded,
    StreamReset,
    afollow,
    follow,
)

TOKEN = "principal-token"
Follow = Callable[..., Iterator[Item]]


def from_async(url: str, token: str, **options: Any) -> Iterator[Item]:
    """afollow() as an iterator."""
    items: list[Item] = []
    failed: list[Exception] = []

    async def read() -> None:
        async with contextlib.aclosing(afollow(url, token, **options)) as following:
            try:
                async for item in following:
                    items.append(item)
            except ClientError as error:
                failed.append(error)

    asyncio.run(read())
    yield from items
    if failed:
        raise failed[0]


@pytest.fixture(params=[follow, from_async], ids=["sync", "async"])
def reading(request: pytest.FixtureRequest) -> Follow:
    """Follows with short waits."""

    def read(url: str, **options: Any) -> Iterator[Item]:
        items: Iterator[Item] = request.param(url, TOKEN, backoff=Backoff(first_seconds=0.01), **options)
        return items

    return read


def test_each_event_comes_with_the_cursor_after_it(reading: Follow) -> None:
    live = frame({"cursor": "k-2"}, name="caught-up", cursor="k-2")
    with ScriptedServer(Operator([connected(), event(1), event(2), live, stream_end("end_of_log")])) as server:
        items = list(reading(server.url))
    assert items == [
        Connected("k-0"),
        Received({"type": "event", "seq": 1}, "k-1"),
        Received({"type": "event", "seq": 2}, "k-2"),
        CaughtUp("k-2"),
    ]


def test_a_program_that_starts_again_goes_on_after_the_cursor_that_it_saved(reading: Follow) -> None:
    with ScriptedServer(Operator()) as server:
        list(
            reading(server.url, since="k-7", filters={"severity": ["error", "critical"], "module": "shop"}, query="a b")
        )
    (request,) = server.asked("/stream")
    assert request.headers["last-event-id"] == "k-7"
    assert request.query == {
        "token": ["ticket-1"], "severity": ["error", "critical"], "module": ["shop"], "q": ["a b"],
    }  # fmt: skip


def test_to_the_end_of_the_log_is_asked_of_the_server(reading: Follow) -> None:
    with ScriptedServer(Operator()) as server:
        list(reading(server.url, since="k-7", to_the_end=True))
    assert server.asked("/stream")[0].query["follow"] == ["false"]


def test_the_newest_come_first_when_asked_for(reading: Follow) -> None:
    operator = Operator([connected("k-9"), event(10), stream_end("end_of_log")])

    def script(request: Request) -> Answer:
        newest = {"events": [{"seq": 8}, {"seq": 9}], "cursor": "k-9"}
        return Answer(json=newest) if request.path.endswith("/events") else operator(request)

    with ScriptedServer(script) as server:
        items = list(reading(server.url, last=2))
    assert items[:3] == [Received({"seq": 8}), Received({"seq": 9}), Connected("k-9")]
    assert server.asked("/stream")[0].headers["last-event-id"] == "k-9"


def test_a_reset_and_an_end_are_seen_and_reading_goes_on(reading: Follow) -> None:
    reset = frame({"reason": "expired", "oldest": "k-50", "newest": "k-80"}, name="stream-reset", cursor="k-80")
    first = [connected("k-1"), reset, stream_end("draining")]
    with ScriptedServer(Operator(first, [connected("k-80"), event(81)])) as server:
        items = list(reading(server.url, since="k-1"))
    assert items[1] == StreamReset("expired", "k-80", "k-50")
    assert isinstance(items[2], Reconnecting)
    assert (items[2].stream_end, items[2].reason) == ("draining", "the server ended the stream: draining")
    assert items[4] == Received({"type": "event", "seq": 81}, "k-81")


@pytest.mark.parametrize("reason", ["revoked", "expired", "disconnected_by_admin"])
def test_a_final_reason_ends_the_reading(reading: Follow, reason: str) -> None:
    with ScriptedServer(Operator([connected(), event(1), stream_end(reason)])) as server:
        items = reading(server.url)
        assert [type(next(items)) for _ in range(2)] == [Connected, Received]
        with pytest.raises(StreamEnded) as caught:
            next(items)
    assert caught.value.reason == reason


def test_a_refused_token_ends_the_reading_with_advice(reading: Follow) -> None:
    refusing = ScriptedServer(lambda _request: problem(401, "main_auth_failed"))
    with refusing as server, pytest.raises(ServerRefused) as caught:
        list(reading(server.url))
    assert "tickets:issue" in caught.value.__notes__[0]


def test_a_server_that_is_not_there_yet_is_waited_for() -> None:
    port = free_port()
    items = follow(f"http://127.0.0.1:{port}", TOKEN, backoff=Backoff(first_seconds=0.01, longest_seconds=0.05))
    assert isinstance(next(items), Reconnecting)
    with ScriptedServer(Operator([connected(), event(1), stream_end("end_of_log")]), port=port):
        assert Received({"type": "event", "seq": 1}, "k-1") in list(items)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"url": "nowhere"}, "must begin with http"),
        ({"token": ""}, "no token"),
        ({"since": "k-1", "last": 5}, "exclude each other"),
        ({"last": 501}, "from 0 to 500"),
        ({"filters": {"severities": "warn"}}, "no filter is named severities: use severity, module"),
    ],
)
@pytest.mark.parametrize("function", [follow, afollow])
def test_arguments_that_cannot_be_used_are_refused_before_the_first_request(
    function: Callable[..., object], arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidSettings, match=words):
        function(**{"url": "http://127.0.0.1", "token": TOKEN, **arguments})


async def test_in_a_running_loop_the_blocking_form_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="use afollow"):
        follow("http://127.0.0.1", TOKEN)


def endless(left: threading.Event) -> Iterator[bytes]:
    try:
        yield connected()
        for seq in range(1, 1_000_000):
            yield event(seq)
    finally:
        left.set()


def test_leaving_the_loop_closes_the_connection() -> None:
    left = threading.Event()
    with ScriptedServer(Operator(endless(left))) as server:
        items = follow(server.url, TOKEN)
        for item in items:
            if isinstance(item, Received) and item.event["seq"] == 5:
                break
        assert not left.is_set()
        items.close()
        assert left.wait(10)


async def test_a_cancelled_reader_closes_its_connection() -> None:
    started = asyncio.Event()

    async def read(url: str) -> None:
        async with contextlib.aclosing(afollow(url, TOKEN)) as items:
            async for _ in items:
                started.set()

    def waiting() -> Iterator[bytes]:
        yield connected()
        server.over.wait(30)

    server = ScriptedServer(Operator(waiting()))
    with server:
        task = asyncio.ensure_future(read(server.url))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_the_log_of_the_program_shows_no_ticket(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), ScriptedServer(Operator()) as server:
        for name in ("httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection"):
            caplog.set_level(logging.DEBUG, logger=name)
        list(follow(server.url, TOKEN, filters={"module": "shop"}))
    written = "\n".join(record.getMessage() for record in caplog.records)
    assert "token=***" in written
    assert "module=shop" in written
    assert "ticket-1" not in written
    assert TOKEN not in written
