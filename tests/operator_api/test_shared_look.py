"""A look at everything is shared by those who ask at the same time, and shows nobody what was before the question."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from operator_api import status, windows
from operator_api.status import SharedLook, StatusReading
from tests.events.waiting import until

NOTHING_OPEN = StatusReading(windows.closed(windows.SOLO_MADRE), {})


class Watched:
    """Looks that are counted, take until they are let go, and show their number as the window's reason."""

    def __init__(self) -> None:
        self.begun = 0
        self.let_go = asyncio.Event()
        self.shared = SharedLook(self._look)

    async def _look(self) -> StatusReading:
        self.begun += 1
        shown = replace(NOTHING_OPEN, window={"reason": self.begun})
        await self.let_go.wait()
        return shown

    def ask(self) -> "asyncio.Task[StatusReading]":
        return asyncio.create_task(self.shared.read_status())


def numbers(looks: Iterable[StatusReading]) -> set[int]:
    return {look.window["reason"] for look in looks}


async def test_all_who_ask_at_once_share_a_look() -> None:
    watched = Watched()
    watched.let_go.set()
    assert numbers(await asyncio.gather(*(watched.ask() for _ in range(50)))) == {1}
    assert numbers([await watched.ask()]) == {2}


async def test_who_asks_while_a_look_is_under_way_gets_the_next_with_all_others_who_do() -> None:
    watched = Watched()
    first = watched.ask()
    await until(lambda: watched.begun)
    later = [watched.ask() for _ in range(50)]
    watched.let_go.set()
    assert numbers([await first]) == {1}
    assert numbers(await asyncio.gather(*later)) == {2}


async def test_a_look_that_hangs_holds_the_next_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "TURN_SECONDS", 0.01)
    watched = Watched()
    hanging = watched.ask()
    await until(lambda: watched.begun == 1)
    following = watched.ask()
    await until(lambda: watched.begun == 2)
    watched.let_go.set()
    assert numbers(await asyncio.gather(hanging, following)) == {1, 2}


async def test_who_leaves_takes_the_look_from_nobody() -> None:
    watched = Watched()
    leaving, staying = watched.ask(), watched.ask()
    await until(lambda: watched.begun)
    leaving.cancel()
    watched.let_go.set()
    assert numbers([await staying]) == {1}
    assert leaving.cancelled()
