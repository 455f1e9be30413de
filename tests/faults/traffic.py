"""Publishers and readers at work while something breaks, and the comparison of what they were told with the log.

The promise: every stored event comes to every reader once and in order, and what was answered is what is stored.
`stream-reset` would excuse a reader, but no fault here takes anything from the log, so none may be said.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx2

from tests.client import LOOPBACK, Client, Json
from tests.faults.publishers import Publisher
from tests.faults.readers import Reader
from tests.faults.waiting import until
from tests.stacks import Stack

PAUSE_SECONDS = 0.02
# The first publisher sends so many events at a time, the others one.
BATCH = 5
# A third of the readers asks for one of these modules only.
MODULES = ("hormiguero", "switch")
# How long readers may take to have everything after the last fault is over.
CATCH_UP_SECONDS = 30
# After which a publisher asks another server.
ANSWER_SECONDS = 5


class Traffic:
    """`publish_to` and `read_from` are base URLs, of all servers unless given; everybody begins with the first, or
    with another one than his peer if they are to be `spread`.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        publishers: int = 4,
        readers: int = 6,
        publish_to: Sequence[str] = (),
        read_from: Sequence[str] = (),
        pause_seconds: float = PAUSE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        spread: bool = False,
    ) -> None:
        self.stack = stack
        self.marker = f"test-{secrets.token_hex(8)}"
        self.publishers: list[Publisher] = []
        self.readers: list[Reader] = []
        self._counts = (publishers, readers)
        self._publish_to = publish_to or [server.url for server in stack.servers]
        # Not where they publish, so that events cross from one server to the other.
        self._read_from = read_from or [server.url for server in reversed(stack.servers)]
        self._pause_seconds = pause_seconds
        self._answer_seconds = answer_seconds
        self._spread = spread
        self._start = ""
        self._publishing: list[asyncio.Task[None]] = []
        self._reading: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._start = await asyncio.to_thread(self._anybody().cursor)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self._http = httpx2.AsyncClient(**LOOPBACK, limits=limits)
        publishers, readers = self._counts
        self.publishers = [self._publisher(number) for number in range(publishers)]
        self.readers = [self._reader(number) for number in range(readers)]
        self._reading = [asyncio.create_task(reader.run()) for reader in self.readers]
        await until(lambda: all(reader.connected for reader in self.readers), "every reader is connected")
        self._publishing = [asyncio.create_task(publisher.run()) for publisher in self.publishers]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = self._publishing + self._reading
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    @property
    def stored(self) -> dict[str, int]:
        return {event_id: seq for publisher in self.publishers for event_id, seq in publisher.stored.items()}

    @property
    def unanswered(self) -> set[str]:
        return {event_id for publisher in self.publishers for event_id in publisher.unanswered}

    @property
    def refused(self) -> list[int]:
        """The status of every answer to a publisher but 201 and 200."""
        return [status for publisher in self.publishers for status in publisher.refused]

    async def stores(self, count: int) -> None:
        """Until so many more events are stored."""
        enough = len(self.stored) + count
        await until(lambda: len(self.stored) >= enough, f"{count} more events are stored")

    async def all_read_on(self, count: int = 1) -> None:
        """Until every reader has got so many more events, or as many as there are of its module."""
        enough = [len(reader.seen) + count for reader in self.readers]
        await until(
            lambda: all(len(reader.seen) >= goal for reader, goal in zip(self.readers, enough, strict=True)),
            f"every reader gets {count} more events",
        )

    async def settle(self) -> None:
        """Let the publishers finish and the readers catch up, then hold everything against the log."""
        for publisher in self.publishers:
            publisher.stop()
        await asyncio.wait_for(asyncio.gather(*self._publishing), CATCH_UP_SECONDS)
        log = await asyncio.to_thread(self._log)
        newest = log[-1]["seq"] if log else 0
        try:
            await until(
                lambda: all(reader.seq >= newest for reader in self.readers),
                "every reader has caught up",
                timeout_seconds=CATCH_UP_SECONDS,
            )
        finally:
            self._compare(log)

    def _compare(self, log: list[Json]) -> None:
        wrong = [words for publisher in self.publishers for words in publisher.wrong]
        wrong += [words for reader in self.readers for words in reader.wrong]
        wrong += [reset for reader in self.readers for reset in reader.resets]
        wrong += [
            difference(reader.seen, [event["seq"] for event in log if reader.module in ("", event["module"])])
            for reader in self.readers
        ]
        assert [words for words in wrong if words] == []
        stored = {event["event_id"]: event["seq"] for event in log if event["correlation_id"] == self.marker}
        assert stored == self.stored, "what is stored is not what was answered"
        assert len(log) == len({event["event_id"] for event in log}), "an event is stored twice"

    def _log(self) -> list[Json]:
        """All events since the start, as polling shows them; fails when a seq is missing."""
        found: list[Json] = []
        since, more = self._start, True
        while more:
            page = self._anybody().polled(since=since, limit=500)
            found += page["events"]
            since, more = page["cursor"], page["has_more"]
        first = int(self._start.rpartition("-")[2]) + 1
        assert [event["seq"] for event in found] == list(range(first, first + len(found)))
        return found

    def _anybody(self) -> Client:
        """May do everything but publish."""
        return self.stack.client(self.stack.principal_token)

    def _publisher(self, number: int) -> Publisher:
        event = {"event_type": "test.happened", "summary": "something happened", "correlation_id": self.marker}
        event["module"] = MODULES[number % len(MODULES)]
        servers = self._turned(self._publish_to, number)
        token, batch = self.stack.service_token, BATCH if number == 0 else 1
        waits = {"pause_seconds": self._pause_seconds, "answer_seconds": self._answer_seconds}
        return Publisher(self._http, servers, token, event, batch=batch, **waits)

    def _reader(self, number: int) -> Reader:
        module = MODULES[number % len(MODULES)] if number % 3 == 2 else ""
        servers = self._turned(self._read_from, number)
        token, tickets = self.stack.principal_token, self.stack.credentials
        return Reader(self._http, servers, token, cursor=self._start, module=module, tickets=tickets)

    def _turned(self, servers: Sequence[str], number: int) -> list[str]:
        first = number % len(servers) if self._spread else 0
        return [*servers[first:], *servers[:first]]


def difference(seen: list[int], stored: list[int]) -> str:
    """What a reader got, against what it should have got; "" if it is the same."""
    if seen == stored:
        return ""
    missing = sorted(set(stored) - set(seen))
    strange = sorted(set(seen) - set(stored))
    twice = [seq for seq, times in Counter(seen).items() if times > 1]
    return f"missing {missing[:20]} of {len(missing)}, twice {twice[:20]}, not asked for {strange[:20]}" + (
        "" if missing or strange or twice else "all there, but out of order"
    )
