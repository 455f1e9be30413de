"""Answers of the API that a process which stood still was about to give."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from events import search
from gateway.filters import Selection
from gateway.http.rest import Endpoint, LeanHandler
from gateway.identity.principals import Directory
from gateway.models import AccessToken
from tests.events.samples import append_events
from tests.events.stream.rights_ends import narrow, revoke_elsewhere
from tests.events.uptime import Uptime
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")


async def asked(text: str) -> tuple[int, dict[str, Any]]:
    """GET events, as the lean handler answers it."""
    body, status = b"", 0
    arrived = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        return arrived.pop() if arrived else await asyncio.Future()

    async def send(message: Any) -> None:
        nonlocal body, status
        status = message.get("status", status)
        body += message.get("body", b"")

    fields = [(b"host", b"localhost"), (b"x-vx11-token", text.encode())]
    scope = {"type": "http", "method": "GET", "path": "/operator/api/events", "query_string": b"", "headers": fields}
    await LeanHandler()(scope, receive, send)
    return status, json.loads(body)


@pytest.fixture
def during_the_answer(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What happens once, after the page was read and before it leaves."""
    happens: list[Callable[[], None]] = []
    count = search.count

    def count_and_happen(selection: Selection, **options: Any) -> int | None:
        counted = count(selection, **options)
        while happens:
            happens.pop()()
        return counted

    monkeypatch.setattr(search, "count", count_and_happen)
    return happens


async def test_n03_an_answer_leaves_by_the_rights_of_now(
    ledger: None, uptime: Uptime, during_the_answer: list[Callable[[], None]]
) -> None:
    await sync_to_async(append_events)(1, prefix="a", module="hermes")
    await sync_to_async(append_events)(1, prefix="b", module="switch")
    token, text = await sync_to_async(issue)()

    def stand_still_while(change: Callable[[AccessToken], None]) -> Callable[[], None]:
        def happen() -> None:
            change(token)
            uptime.now += 25

        return happen

    during_the_answer.append(stand_still_while(lambda _: None))
    status, page = await asked(text)
    assert (status, [event["module"] for event in page["events"]]) == (200, ["hermes", "switch"])
    during_the_answer.append(stand_still_while(narrow))
    status, page = await asked(text)
    assert (status, [event["module"] for event in page["events"]]) == (200, ["switch"])
    during_the_answer.append(stand_still_while(revoke_elsewhere))
    status, page = await asked(text)
    assert (status, page["reason"]) == (401, "main_auth_failed")


async def test_n03_an_answer_that_waited_for_too_long_on_its_way_does_not_leave(
    ledger: None, uptime: Uptime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = await sync_to_async(issue)()
    monkeypatch.setattr(Directory, "good_until", property(lambda _: uptime.now + (0 if uptime.now > 1_000 else 2)))
    shown = Endpoint._shown

    async def show_and_stall(self: Endpoint, *arguments: Any) -> Any:
        response = await shown(self, *arguments)
        uptime.now += 25
        return response

    monkeypatch.setattr(Endpoint, "_shown", show_and_stall)
    status, page = await asked(text)
    assert (status, page["reason"]) == (503, "dependency_unavailable")
