"""The store in memory: what has expired makes room, by the clock of durations, and looking for it is not done often."""

import time

import pytest

from gateway.shared_store import ticket_cache
from gateway.shared_store.ticket_cache import TicketLocMemCache, TicketStoreFull, literal_key


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    # The wall clock stands still, so that what is computed by it is exact.
    monkeypatch.setattr(time, "time", lambda: 2_000.0)
    return times


@pytest.fixture
def cache(request: pytest.FixtureRequest) -> TicketLocMemCache:
    parameters = {"KEY_FUNCTION": literal_key, "OPTIONS": {"MAX_ENTRIES": 3}}
    cache = TicketLocMemCache(request.node.name, parameters)
    cache.clear()
    return cache


def test_a_ticket_lives_until_its_time_and_not_at_that_moment(cache: TicketLocMemCache, now: list[float]) -> None:
    cache.set("a", 1, 60)
    cache.set("lasting", 1, None)
    now[0] += 59.9
    assert (cache.get("a"), cache.count("a")) == (1, 1)
    now[0] += 0.1
    assert (cache.get("a"), cache.get("lasting")) == (None, 1)


def test_only_what_is_alive_is_counted_and_by_the_begin_of_its_key(cache: TicketLocMemCache, now: list[float]) -> None:
    cache.set("ticket:1", 1, 60)
    cache.set("ticket:2", 1, None)
    cache.set("used:1", 1, 60)
    assert (cache.count("ticket:"), cache.count("used:"), cache.count("")) == (2, 1, 3)
    now[0] += 60
    assert (cache.count("ticket:"), cache.count("used:")) == (1, 0)


def test_a_full_store_refuses_until_something_has_expired(cache: TicketLocMemCache, now: list[float]) -> None:
    cache.set("a", 1, 10)
    for key in ("b", "c"):
        cache.set(key, 1, 60)
    with pytest.raises(TicketStoreFull):
        cache.set("d", 1, 60)
    now[0] += 10
    cache.set("d", 1, 60)
    assert [cache.get(key) for key in ("a", "b", "c", "d")] == [None, 1, 1, 1]


def test_a_full_store_is_looked_through_once_a_second(
    cache: TicketLocMemCache, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    drop = TicketLocMemCache._drop_expired

    def note(self: TicketLocMemCache) -> None:
        looks.append(now[0])
        drop(self)

    monkeypatch.setattr(TicketLocMemCache, "_drop_expired", note)
    for key in ("a", "b", "c"):
        cache.set(key, 1, 60)
    for seconds in (0.0, 0.5, ticket_cache.SCAN_PAUSE_SECONDS - 0.6, 0.1):
        now[0] += seconds
        with pytest.raises(TicketStoreFull):
            cache.set("d", 1, 60)
    assert looks == [1000.0, 1000.0 + ticket_cache.SCAN_PAUSE_SECONDS]


def test_what_has_expired_is_dropped_once_in_so_many_tickets(
    cache: TicketLocMemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_cache, "SWEEP_EVERY_SETS", 10)
    sets, sweeps = [0], list[int]()
    monkeypatch.setattr(TicketLocMemCache, "_drop_expired", lambda _: sweeps.append(sets[0]))
    for number in range(1, 31):
        sets[0] = number
        cache.set("a", 1, 60)
    assert sweeps == [10, 20, 30]
