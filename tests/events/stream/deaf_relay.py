"""A relay that receives no commits and never compares itself with the log: tests decide when it does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from events import log
from events.log import Cursor, Entry, Page, appending
from events.stream import relay as relay_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from tests.events.samples import append_events

append = sync_to_async(append_events)


@pytest.fixture
async def relay(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """It reads again soon after an error."""
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(relay_module, "COMPARISON_PATIENCE_SECONDS", 0.001)
    relay = Relay(Hub())
    await relay.start()
    appending._listeners.remove(relay.committed)
    yield relay
    await relay.stop()


async def newest() -> Cursor:
    return (await sync_to_async(log.head)()).newest


def entry(seq: int) -> Entry:
    return Entry(seq, "info", "m", "t", "c", b"{}")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Cursor]:
    """Where the relay has read the log."""
    read_after, seen = log.read_after, list[Cursor]()

    def read(cursor: Cursor, *arguments: Any, **options: Any) -> Page:
        seen.append(cursor)
        return read_after(cursor, *arguments, **options)

    monkeypatch.setattr(log, "read_after", read)
    return seen
