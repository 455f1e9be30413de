"""Counts in this process's memory, and how publishing reserves its share of a rate that all processes count."""

import time

import pytest
from pytest_django import Settings

from gateway.shared_store import limits
from gateway.shared_store.limits import Limiter, LimitExceeded, MemoryWindows
from vx11_site.config.environment import Rate


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    return times


def test_a_window_counts_until_it_ends_and_not_at_that_moment(now: list[float]) -> None:
    windows = MemoryWindows()
    assert (windows.get("a"), windows.get_expiry("a")) == (0, now[0])
    assert [windows.incr("a", 10), windows.incr("a", 10, amount=4)] == [1, 5]
    assert (windows.get("a"), windows.get_expiry("a")) == (5, now[0] + 10)
    now[0] += 10
    assert windows.get("a") == 0
    assert windows.incr("a", 10) == 1
    windows.clear("a")
    windows.clear("a")
    assert windows.get("a") == 0


def test_windows_are_forgotten_together_and_need_no_connection() -> None:
    windows = MemoryWindows()
    windows.incr("a", 10)
    windows.incr("b", 10)
    assert windows.check()
    assert [windows.reset(), windows.reset()] == [2, 0]
    assert windows.get("a") == 0


def test_there_are_so_many_windows_and_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMORY_LIMIT_KEYS", 2)
    windows = MemoryWindows()
    for key in ("a", "b", "c"):
        windows.incr(key, 10)
    assert [windows.get(key) for key in ("a", "b", "c")] == [0, 1, 1]


async def test_a_refusal_is_known_before_work_is_done_until_its_window_ends(
    settings: Settings, now: list[float]
) -> None:
    settings.CHAT_RATE = Rate(1, 60)
    limiter = Limiter()
    limiter.refuse_known("chat_messages", "p-1")
    limiter.charge("chat_messages", "p-1")
    limiter.refuse_known("chat_messages", "p-1")
    with pytest.raises(LimitExceeded):
        limiter.charge("chat_messages", "p-1")
    with pytest.raises(LimitExceeded) as known:
        limiter.refuse_known("chat_messages", "p-1")
    assert (known.value.name, known.value.retry_after_seconds) == ("chat_messages", 60)
    limiter.refuse_known("chat_messages", "p-2")
    now[0] += 60
    limiter.refuse_known("chat_messages", "p-1")
    settings.CHAT_RATE = None
    limiter.refuse_known("chat_messages", "p-1")


async def test_publishing_reserves_a_share_of_its_rate_and_asks_again_when_that_is_used_up(
    settings: Settings, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLISH_RATE = Rate(100, 60)
    monkeypatch.setattr(limits, "_shared", lambda: "Redis")
    limiter, spent = Limiter(), []

    async def spend(name: str, who: str, *, cost: int) -> None:
        spent.append(cost)

    monkeypatch.setattr(limiter, "spend", spend)
    for cost in (4, 1, 4, 8):
        await limiter.spend_reserved("published_events", "p-1", cost=cost)
    # Five are a twentieth; four of five, then one more, nothing left; then four of five, and seven beside the one left.
    assert spent == [5, 5, 7]
    await limiter.spend_reserved("published_events", "p-1", cost=1)
    now[0] += 60
    # What is left belongs to a window that is over.
    await limiter.spend_reserved("published_events", "p-1", cost=1)
    assert spent == [5, 5, 7, 5, 5]
