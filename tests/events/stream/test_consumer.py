"""The stream's HTTP side, called as an ASGI server calls it: heads, refusals, and an end in order."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from events.models import StreamSession
from events.stream import sse
from events.stream.connections import the_connections
from events.stream.consumer import STREAM_PATHS, stream_application
from events.stream.relay import the_relay
from events.stream.stream import Stream
from gateway.models import TokenAudit
from ledger.writer import writer
from tests.events.stream.sse_reading import read
from tests.events.stream.test_admission import with_ticket
from tests.events.waiting import until
from tests.gateway.samples import issue
from tests.metrics import counting

pytestmark = pytest.mark.usefixtures("ledger")

PATH = sorted(STREAM_PATHS)[0]
issue_async = sync_to_async(issue)


class Request:
    """A request that is being answered, and a client that may disconnect."""

    def __init__(self, query: str = "", *, method: str = "GET", headers: dict[str, str] | None = None) -> None:
        self.messages: list[dict[str, Any]] = []
        self._body = [
            {"type": "http.request", "body": b"a", "more_body": True},
            {"type": "http.request", "body": b"", "more_body": False},
        ]
        self.disconnected = asyncio.Event()
        fields = {"host": "testserver", "x-correlation-id": "c-1", **(headers or {})}
        self.scope = {
            "type": "http",
            "method": method,
            "path": PATH,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
            "client": ("192.0.2.1", 1234),
        }

    async def receive(self) -> dict[str, Any]:
        if self._body:
            return self._body.pop(0)
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    async def answered(self) -> "Request":
        await asyncio.wait_for(stream_application(self.scope, self.receive, self.send), 10)
        return self

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def is_complete(self) -> bool:
        return not self.messages[-1].get("more_body", False)


@pytest.fixture(autouse=True)
async def _ended(ledger: None) -> AsyncIterator[None]:
    yield
    await the_relay().stop()
    if (keeper := the_connections()._keeper) is not None:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


@pytest.fixture
async def query() -> str:
    """One with a ticket."""
    return await with_ticket((await issue_async())[0])


@contextlib.asynccontextmanager
async def live(query: str) -> AsyncIterator[Request]:
    """A request whose stream is live; at the end its client disconnects."""
    request = Request(query)
    answering = asyncio.create_task(request.answered())
    try:
        await until(lambda: request.messages and b"event: caught-up" in request.body)
        yield request
    finally:
        request.disconnected.set()
        await answering


def open_streams() -> list[Stream]:
    return list(the_connections()._streams)


async def test_a_stream_begins_with_its_headers_and_ends_in_order(query: str) -> None:
    answer = await Request(f"{query}&follow=false&last_event_id=zz-1").answered()
    assert answer.status == 200
    assert {name.lower(): value for name, value in sse.HEADERS.items()}.items() <= answer.headers.items()
    assert answer.headers["x-correlation-id"] == "c-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    frames = read(answer.body)
    assert [frame.event for frame in frames] == ["message", "stream-reset", "stream-end"]
    assert json.loads(frames[-1].data)["reason"] == "end_of_log"
    assert answer.is_complete
    assert open_streams() == []


async def test_a_stream_is_counted_by_how_it_was_admitted_and_on_record_with_its_ticket(query: str) -> None:
    names = ("vx11_operator_sse_connections_ephemeral_total", "vx11_operator_sse_connections_principal_total")
    counts = [counting(name) for name in names]
    await Request(f"{query}&follow=false&last_event_id=zz-1").answered()
    assert [count() for count in counts] == [1, 0]
    _, text = await issue_async()
    await Request("follow=false&last_event_id=zz-1", headers={"x-vx11-token": text}).answered()
    assert [count() for count in counts] == [1, 1]
    await sync_to_async(writer.close)()
    rows = [row async for row in StreamSession.objects.order_by("opened_at")]
    assert [bool(row.ticket_id) for row in rows] == [True, False]
    assert {(row.address, row.correlation_id, row.end_reason) for row in rows} == {("192.0.2.1", "c-1", "end_of_log")}


async def test_a_head_request_gets_the_headers_and_leaves_the_ticket_valid(query: str) -> None:
    for _ in range(2):
        answer = await Request(query, method="HEAD").answered()
        assert (answer.status, answer.body, answer.is_complete) == (200, b"", True)
        assert answer.headers["content-type"] == sse.HEADERS["Content-Type"]
    assert open_streams() == []
    assert (await Request(f"{query}&follow=false&last_event_id=zz-1").answered()).status == 200


async def test_options_says_which_methods_there_are_and_a_token_in_its_query_is_refused() -> None:
    answer = await Request(method="OPTIONS").answered()
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, HEAD, OPTIONS", b"")
    assert answer.is_complete
    assert (await Request("token=vx11_secret", method="OPTIONS").answered()).status == 400


async def test_a_refusal_is_the_one_error_body_with_the_correlation_id_and_without_a_body_for_head() -> None:
    answer = await Request().answered()
    assert (answer.status, answer.headers["x-correlation-id"]) == (401, "c-1")
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.body)["reason"] == "missing_token"
    head = await Request(method="HEAD").answered()
    assert (head.status, head.body) == (401, b"")


async def test_a_client_that_has_left_before_it_is_answered_gets_no_answer(query: str) -> None:
    request = Request(query)
    request._body.clear()
    request.disconnected.set()
    await request.answered()
    assert request.messages == []
    assert (await Request(f"{query}&follow=false&last_event_id=zz-1").answered()).status == 200


async def test_a_client_that_disconnects_ends_its_stream_and_gives_its_place_back(query: str) -> None:
    closed = counting("vx11_streams_ended_total", reason="client_closed")
    async with live(query) as request:
        (stream,) = open_streams()
        assert the_connections().leases._held[stream.opening.principal.public_id] == 1
    assert open_streams() == []
    assert closed() == 1
    assert not the_connections().leases._held.get(stream.opening.principal.public_id)
    assert not request.is_complete


async def test_a_stream_that_breaks_ends_its_answer_all_the_same(
    query: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = counting("vx11_streams_ended_total", reason="error")

    async def fail(_stream: Stream) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Stream, "run", fail)
    answer = await Request(query).answered()
    assert (answer.status, answer.is_complete, broken()) == (200, True, 1)
    assert "broke" in caplog.text


async def test_a_reader_that_did_not_take_the_end_gets_no_end_in_order(
    query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_taken(_stream: Stream) -> bool:
        return False

    monkeypatch.setattr(Stream, "run", not_taken)
    answer = await Request(query).answered()
    assert [message["type"] for message in answer.messages] == ["http.response.start"]


async def test_a_principal_with_as_many_streams_as_it_may_have_is_refused_and_that_is_on_record_with_it(
    settings: Settings,
) -> None:
    settings.MAX_STREAMS_PER_PRINCIPAL = 1
    token, _ = await issue_async()
    async with live(await with_ticket(token)):
        second = await Request(await with_ticket(token)).answered()
    assert (second.status, json.loads(second.body)["reason"]) == (429, "too_many_streams")
    await sync_to_async(writer.close)()
    row = await TokenAudit.objects.aget(reason__contains="streams")
    assert (row.principal_id, row.address, row.correlation_id) == (token.public_id, "192.0.2.1", "c-1")
