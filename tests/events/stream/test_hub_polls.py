"""Long polls at the hub: what wakes them, and that they leave nothing behind."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from events.log.cursors import Head
from events.stream.hub import Hub
from gateway.filters import Selection
from tests.events.stream.hub_samples import EPOCH, entry

WARNINGS = Selection(severities=frozenset({"warn"}))


@pytest.fixture
def hub() -> Hub:
    clock = itertools.count(step=3600)
    hub = Hub(clock=lambda: float(next(clock)))
    hub.reset(Head(EPOCH, 0, 1))
    return hub


@pytest.fixture
def polling(hub: Hub) -> Iterator[None]:
    yield
    assert not hub._advanced
    assert not hub._wanted


@pytest.mark.usefixtures("polling")
@pytest.mark.parametrize(
    "change",
    [lambda hub: hub.accept([entry(1)]), lambda hub: hub.reset(Head("o", 0, 1)), lambda hub: hub.wake_pollers()],
)
async def test_long_polls_wake_when_the_position_moves(hub: Hub, change: Any) -> None:
    waiting = [asyncio.create_task(hub.advanced()) for _ in range(3)]
    await asyncio.sleep(0)
    change(hub)
    await asyncio.wait_for(asyncio.gather(*waiting), 5)


@pytest.mark.usefixtures("polling")
async def test_a_long_poll_that_goes_away_leaves_nothing_behind(hub: Hub) -> None:
    waiting = asyncio.create_task(hub.advanced())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.usefixtures("polling")
async def test_a_long_poll_is_woken_by_what_it_asked_for_and_by_nothing_else(hub: Hub) -> None:
    wanted = [WARNINGS, WARNINGS, Selection(severities=frozenset({"error"}))]
    waiting = [asyncio.create_task(hub.matched(selection)) for selection in wanted]
    await asyncio.sleep(0)
    for seq in range(1, 50):
        hub.accept([entry(seq)])
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    hub.accept([entry(50), entry(51, "warn"), entry(52)])
    await asyncio.wait_for(asyncio.gather(*waiting[:2]), 5)
    assert not waiting[2].done()
    hub.wake_pollers()
    await asyncio.wait_for(waiting[2], 5)
