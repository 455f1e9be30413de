"""Fan-out when messages are lost, doubled or late: each reader gets its events once, in order."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.log.cursors import Cursor, Head
from events.log.records import Entry
from events.stream import hub as hub_module
from events.stream import sse
from events.stream.hub import Hub
from events.stream.subscribers import Subscriber
from gateway.filters import SEVERITIES, Selection
from tests.events.stream.hub_samples import EPOCH, Inbox, entry


class Reader:
    """A stream as the hub sees it: it reads on until the hub lets it join, and again whenever it was full."""

    def __init__(self, hub: Hub, log: list[Entry], selection: Selection) -> None:
        self.hub, self.log = hub, log
        self.started_at = hub.seq
        self.inbox = Inbox()
        self.subscriber = Subscriber(selection, hub.cursor, self.inbox.write)

    def step(self, *, limit: int) -> None:
        """One turn of the stream's task, which waits while its reader is full."""
        if self.subscriber.live or self.inbox.full or self.hub.join(self.subscriber) or self.inbox.full:
            return
        entries, reached = self.hub.recall(self.subscriber.cursor, self.subscriber.selection)
        if reached is None:
            after = self.subscriber.cursor.seq
            page = self.log[after : after + limit]
            entries = [entry for entry in page if entry.passes(self.subscriber.selection)]
            reached = Cursor(EPOCH, after + len(page))
        self.subscriber.move_to(reached)
        if entries:
            self.inbox.write(sse.events(EPOCH, entries))

    def expected(self) -> list[int]:
        return [entry.seq for entry in self.log[self.started_at :] if entry.passes(self.subscriber.selection)]


QUERIES = ("severity>=warn", "-severity:(info,error)", "module:madre OR refused")
selections = st.builds(
    Selection,
    severities=st.one_of(st.none(), st.frozensets(st.sampled_from(SEVERITIES), min_size=1)),
    queries=st.one_of(st.none(), st.frozensets(st.sampled_from(QUERIES), min_size=1)),
)
steps = st.one_of(
    st.tuples(st.just("publish"), st.lists(st.sampled_from(SEVERITIES), min_size=1, max_size=6), st.booleans()),
    st.tuples(st.just("wake"), st.integers(0, 20)),
    st.tuples(st.just("heal")),
    st.tuples(st.just("flush")),
    st.tuples(st.just("open"), selections),
    st.tuples(st.just("step"), st.integers(0, 5), st.integers(1, 4)),
    st.tuples(st.just("restart"), st.integers(0, 10)),
    st.tuples(st.just("stop"), st.integers(0, 5)),
    st.tuples(st.just("go_on"), st.integers(0, 5)),
)


class World:
    """A log, a hub, its readers, and wake-ups that may be lost, doubled, late or out of order."""

    def __init__(self) -> None:
        self.log: list[Entry] = []
        self.wakeups: list[list[Entry]] = []
        self.readers: list[Reader] = []
        self.hub = Hub()
        self.hub.reset(self.head)

    @property
    def head(self) -> Head:
        return Head(EPOCH, len(self.log), 1)

    def play(self, step: tuple[Any, ...]) -> None:
        getattr(self, step[0])(*step[1:])

    def publish(self, severities: list[str], received: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        new = [entry(len(self.log) + 1 + number, severity) for number, severity in enumerate(severities)]
        self.log += new
        self.wakeups.append(new)
        if received:
            self.hub.accept(new)

    def wake(self, number: int) -> None:
        """Some wake-up arrives: late, again, or before an earlier one."""
        if self.wakeups:
            self.hub.accept(self.wakeups[number % len(self.wakeups)])

    def heal(self) -> None:
        assert self.hub.accept(self.log[self.hub.seq :])

    def flush(self) -> None:
        self.hub.flush()

    def open(self, selection: Selection) -> None:
        self.readers.append(Reader(self.hub, self.log, selection))

    def step(self, number: int, limit: int) -> None:
        if self.readers:
            self.readers[number % len(self.readers)].step(limit=limit)

    def restart(self, warm: int) -> None:
        """The relay starts anew at the head of the same log, and has read that much of its end."""
        self.hub.reset(self.head, self.log[len(self.log) - min(warm, len(self.log)) :])

    def stop(self, number: int) -> None:
        """A reader takes one chunk more and then none."""
        if self.readers:
            self.readers[number % len(self.readers)].inbox.full = True

    def go_on(self, number: int) -> None:
        if self.readers:
            self.readers[number % len(self.readers)].inbox.full = False

    def settle(self) -> None:
        self.heal()
        self.flush()
        for reader in self.readers:
            reader.inbox.full = False
            for _ in range(len(self.log) + 3):
                reader.step(limit=3)


@settings(max_examples=300, deadline=None)
@given(played=st.lists(steps, max_size=60), catch_up_limit=st.integers(1, 20), recent_limit=st.integers(0, 60))
def test_every_reader_gets_the_filtered_log_once_and_in_order(
    played: list[tuple[Any, ...]], catch_up_limit: int, recent_limit: int
) -> None:
    async def play() -> World:
        world = World()
        for step in played:
            world.play(step)
        world.settle()
        return world

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hub_module, "TICK_SECONDS", 3600.0)
        patched.setattr(hub_module, "CATCH_UP_LIMIT_BYTES", catch_up_limit)
        patched.setattr(hub_module, "RECENT_LIMIT_BYTES", recent_limit)
        world = asyncio.run(play())

    for reader in world.readers:
        assert reader.inbox.seqs == reader.expected()
        assert reader.subscriber.events_sent <= len(reader.inbox.seqs)
