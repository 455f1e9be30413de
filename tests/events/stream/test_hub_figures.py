"""What the hub keeps and reports of its writes: its memory, the delay of events, the trace of a write."""

import asyncio
import itertools
from typing import Any

import pytest

from events.log.cursors import Cursor, Head
from events.log.records import Entry
from events.stream import hub as hub_module
from events.stream.hub import Hub
from events.stream.subscribers import Subscriber
from gateway import tracing
from gateway.filters import EVERYTHING, Selection
from tests.events.stream.hub_samples import EPOCH, Inbox, entry
from tests.events.traces import Recorder
from tests.metrics import counting

WARNINGS = Selection(severities=frozenset({"warn"}))


def new_hub(**options: Any) -> Hub:
    clock = itertools.count(step=3600)
    hub = Hub(clock=lambda: float(next(clock)), **options)
    hub.reset(Head(EPOCH, 0, 1))
    return hub


def joined(hub: Hub, selection: Selection = EVERYTHING) -> Inbox:
    inbox = Inbox()
    assert hub.join(Subscriber(selection, hub.cursor, inbox.write))
    return inbox


def created(seq: int, at: float) -> Entry:
    return entry(seq)._replace(created_at=at)


@pytest.mark.parametrize(("now", "seconds"), [(107.0, 7.0), (100.0, 0.0), (99.0, 0.0)])
def test_the_delay_of_a_write_is_that_of_its_oldest_event_and_never_negative(now: float, seconds: float) -> None:
    hub = new_hub(time_of_day=lambda: now)
    joined(hub)
    total, writes = counting("vx11_publish_to_write_seconds_sum"), counting("vx11_publish_to_write_seconds_count")
    hub.accept([created(1, 100.0), created(2, 105.0)])
    assert (total(), writes()) == (seconds, 1)


def test_a_write_is_reported_with_its_streams_and_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(tracing, "tracer", recorder)
    hub = new_hub()
    inboxes = [joined(hub), joined(hub), joined(hub, WARNINGS), joined(hub, Selection(modules=frozenset({"other"})))]
    hub.accept([entry(1), entry(2, "warn"), entry(3)])
    size_bytes = sum(len(chunk) for inbox in inboxes for chunk in inbox.chunks)
    # The clock of this hub moves on by an hour with each look at it.
    assert recorder.calls == [("wrote", EPOCH, 1, 3, 3, size_bytes, 3600.0)]


def test_a_hub_that_gets_another_log_remembers_as_much_of_it_as_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 6)
    hub = new_hub()
    for _ in range(3):
        hub.accept([entry(hub.seq + number) for number in (1, 2, 3)])
        assert len(hub.memory) == 3
        recent = [entry(seq) for seq in (6, 7, 8, 9)]
        hub.reset(Head(EPOCH, 9, 1), recent)
        assert hub.memory == recent[1:]


def test_a_hub_remembers_everything_after_the_cursors_that_it_says_it_does() -> None:
    hub = new_hub()
    hub.reset(Head(EPOCH, 9, 1), [entry(seq) for seq in (8, 9)])
    remembered = {seq: hub.remembers(Cursor(EPOCH, seq)) for seq in (6, 7, 8, 9, 10)}
    assert remembered == {6: False, 7: True, 8: True, 9: True, 10: False}
    assert [len(hub.recall(Cursor(EPOCH, seq), EVERYTHING)[0]) for seq in (7, 8, 9)] == [2, 1, 0]
    assert not hub.remembers(Cursor("other", 9))


def test_what_fills_a_chunk_to_its_limit_is_given_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = new_hub()
    hub.accept([entry(seq) for seq in (1, 2, 3)])
    for limit_bytes, seqs in ((6, [1, 2, 3]), (5, [1, 2])):
        monkeypatch.setattr(hub_module, "CATCH_UP_LIMIT_BYTES", limit_bytes)
        assert [entry.seq for entry in hub.recall(Cursor(EPOCH, 0), EVERYTHING)[0]] == seqs


def test_what_is_due_is_held_as_long_as_it_is_remembered_and_rights_are_asked_for_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 6)
    asked: list[int] = []
    hub = new_hub()
    inbox = Inbox()
    subscriber = Subscriber(EVERYTHING, hub.cursor, inbox.write)
    assert hub.join(subscriber)
    hub.on_hold = lambda: asked.append(hub.seq)
    hub.trusted_until = float("-inf")
    for seq in (1, 2, 3):
        hub.accept([entry(seq)])
    assert (subscriber.live, asked) == (True, [1, 2, 3])
    hub.accept([entry(4)])
    assert (subscriber.live, asked) == (False, [1, 2, 3, 4])
    hub.trust(float("inf"))
    assert inbox.seqs == []


async def test_who_waits_for_rights_asks_for_them_and_is_woken_when_they_are_known() -> None:
    asked: list[int] = []
    hub = new_hub()
    hub.distrust()
    hub.on_hold = lambda: asked.append(1)
    waiting = [asyncio.create_task(hub.trusted()) for _ in range(2)]
    await asyncio.sleep(0)
    assert asked == [1, 1]
    assert not any(task.done() for task in waiting)
    hub.trust(float("inf"))
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert hub._trusted_again == set()
