"""Requests for the status at the same time share one read, and none of them gets a state from before the request."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from operator_api import status, windows
from operator_api.status import SharedRead, StatusReading
from tests.events.waiting import until

NOTHING_OPEN = StatusReading(windows.closed(windows.SOLO_MADRE), {})


class Watched:
    """Counted reads. Each ends when it is released, and returns its number as the window's reason."""

    def __init__(self) -> None:
        self.begun = 0
        self.released = asyncio.Event()
        self.shared = SharedRead(self._read)

    async def _read(self) -> StatusReading:
        self.begun += 1
        shown = replace(NOTHING_OPEN, window=windows.closed("solo_madre", reason=str(self.begun)))
        await self.released.wait()
        return shown

    def ask(self) -> "asyncio.Task[StatusReading]":
        return asyncio.create_task(self.shared.read_status())


def numbers(readings: Iterable[StatusReading]) -> set[int]:
    return {int(reading.window["reason"] or 0) for reading in readings}


async def test_requests_at_the_same_time_share_a_read() -> None:
    watched = Watched()
    watched.released.set()
    assert numbers(await asyncio.gather(*(watched.ask() for _ in range(50)))) == {1}
    assert numbers([await watched.ask()]) == {2}


async def test_requests_during_a_read_share_the_next_one() -> None:
    watched = Watched()
    first = watched.ask()
    await until(lambda: watched.begun)
    later = [watched.ask() for _ in range(50)]
    watched.released.set()
    assert numbers([await first]) == {1}
    assert numbers(await asyncio.gather(*later)) == {2}


async def test_a_read_that_hangs_delays_the_next_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "TURN_SECONDS", 0.01)
    watched = Watched()
    hanging = watched.ask()
    await until(lambda: watched.begun == 1)
    following = watched.ask()
    await until(lambda: watched.begun == 2)
    watched.released.set()
    assert numbers(await asyncio.gather(hanging, following)) == {1, 2}


async def test_a_cancelled_request_does_not_cancel_the_read_of_others() -> None:
    watched = Watched()
    leaving, staying = watched.ask(), watched.ask()
    await until(lambda: watched.begun)
    leaving.cancel()
    watched.released.set()
    assert numbers([await staying]) == {1}
    assert leaving.cancelled()
