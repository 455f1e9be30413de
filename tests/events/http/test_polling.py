"""Long polls in one process: what wakes them, what that costs, and when they end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events import log, search
from events.http import polling
from events.http.polling import MaySee, page_for
from events.search import ALL_TIME
from events.stream.relay import Relay, the_relay
from gateway.filters import EVERYTHING, Selection
from gateway.http import rest
from ledger.writer import writer
from tests.events.samples import new_event, seqs, submission
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")
WARNINGS = Selection(severities=frozenset({"warn"}))


class Rights:
    """What the caller may see, in the hands of a test."""

    def __init__(self, selection: Selection = WARNINGS) -> None:
        self.now = MaySee(selection, None)

    async def __call__(self) -> MaySee:
        return self.now


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = the_relay()
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every read of a page after a cursor."""
    reads: list[Any] = []
    read_after = search.read_after

    def counted(*arguments: Any, **options: Any) -> Any:
        reads.append(arguments)
        return read_after(*arguments, **options)

    monkeypatch.setattr(search, "read_after", counted)
    return reads


def asked(rights: polling.Rights) -> polling.Asked:
    return polling.Asked("p-1", rights, 10, ALL_TIME, is_search=False)


def poll(relay: Relay, rights: Rights, *, wait: int = 20) -> "asyncio.Task[log.Page]":
    query = {"since": [str(relay.hub.cursor)], "wait": [str(wait)]}
    return asyncio.create_task(page_for(query, asked(rights)))


async def publish(*severities: str) -> None:
    for severity in severities:
        name = f"{severity}-{timezone.now().timestamp()}"
        await writer.commit(log.append_many, submission(new_event(name, severity=severity)))


async def test_a_long_poll_costs_no_query_for_what_it_did_not_ask_for(relay: Relay, reads: list[Any]) -> None:
    polls = [poll(relay, Rights()) for _ in range(20)]
    await until(lambda: sum(len(waiting) for waiting in relay.hub._wanted.values()) == 20)
    before = len(reads)
    await publish(*["info"] * 30)
    assert len(reads) - before == 0
    await publish("warn")
    pages = await asyncio.gather(*polls)
    assert [seqs(page.entries) for page in pages] == [[31]] * 20
    assert len(reads) - before == 20


async def test_what_comes_between_the_read_and_the_wait_is_found(relay: Relay) -> None:
    waiting = poll(relay, Rights())
    await publish("info", "warn")
    assert seqs((await waiting).entries) == [2]


async def test_n11_a_long_poll_goes_on_with_the_rights_of_now(relay: Relay) -> None:
    rights = Rights(EVERYTHING)
    waiting = poll(relay, rights)
    await until(lambda: relay.hub._wanted)
    rights.now = MaySee(WARNINGS, None)
    relay.hub.wake_pollers()
    await until(lambda: WARNINGS in relay.hub._wanted)
    await publish("info", "warn")
    assert seqs((await waiting).entries) == [2]


async def test_n11_a_long_poll_looks_again_when_its_rights_expire(relay: Relay) -> None:
    rights = Rights()
    rights.now = MaySee(WARNINGS, timezone.now() + timedelta(seconds=0.2))

    async def expired() -> MaySee:
        if rights.now.expires_at and rights.now.expires_at <= timezone.now():
            raise PermissionError
        return rights.now

    query = {"since": [str(relay.hub.cursor)], "wait": [str(polling.WAIT_MAX_SECONDS)]}
    with pytest.raises(PermissionError):
        await asyncio.wait_for(page_for(query, asked(expired)), 10)


@pytest.mark.parametrize("query", [b"wait=20", b"since=k7f3-1&wai%74=20", b"%77%61%69%74=20", b"a=%&wait=1"])
def test_a_long_poll_is_known_for_one_however_its_name_is_written(query: bytes) -> None:
    scope = {"query_string": query}
    assert rest._may_wait({**scope, "method": "GET"})
    # What has side effects is done to its end.
    assert not rest._may_wait({**scope, "method": "POST"})
