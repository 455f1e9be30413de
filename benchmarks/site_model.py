"""A large site, simulated: processes, streams, events, and the crowd that comes back when a process dies.

What each operation costs is read from the last full run of the benchmarks; how costs add up is what the program does:
one process takes an event, all others hear of it, each writes it to its own streams.
"""

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, exp, log

STEP_SECONDS = 0.05
STEADY_SECONDS, STORM_SECONDS = 20.0, 40.0
# What a process may take, so that there is room for a crowd.
SHARE_AT_MOST = 0.7
# Each is an open file; the shipped units and containers allow 65 536.
STREAMS_AT_MOST = 50_000
# event-client.js: a second, and a random part of the first step.
RETRY_SECONDS, RETRY_RANDOM_SECONDS = 1.0, 1.0
# At these rates the cost of writing was measured; it is interpolated between them, and beyond them that of the nearer.
FEW_PER_SECOND, MANY_PER_SECOND = 20.0, 200.0
ROW = re.compile(r"\| ([^|]+) \| ([^|]+) \| ([0-9.]+) [^|]*\|")


@dataclass(frozen=True)
class Costs:
    """CPU seconds of a server process, unless the name says another unit."""

    take: float
    hear: float
    write_few: float
    write_many: float
    ticket: float
    open_stream: float
    replay: float
    # Of a core.
    idle_share: float
    process_megabytes: float
    stream_kilobytes: float

    def write(self, per_second: float) -> float:
        """An event to one stream: those that come together are written together."""
        if per_second <= FEW_PER_SECOND:
            return self.write_few
        part = min(1.0, log(per_second / FEW_PER_SECOND) / log(MANY_PER_SECOND / FEW_PER_SECOND))
        return exp(log(self.write_few) * (1 - part) + log(self.write_many) * part)


def costs(results: str) -> Costs:
    """From benchmarks/results/latest.md. Raises KeyError when a figure is not there."""
    # Of several with the same name, the last.
    found = {(title.strip(), name.strip()): float(value) for title, name, value in ROW.findall(results)}
    one, pays = "scaling, one process", "scaling, one process for another"
    idle_stream = found["memory, VX11 Operator", "memory of an idle stream"]
    return Costs(
        take=found[pays, "CPU of the process that takes an event, at 100/s"] / 1e6,
        hear=found[pays, "CPU of a process that hears of it, at 100/s"] / 1e6,
        write_few=found[one, "of which fan-out, without publishing"] / 1e6,
        write_many=found["1000 x 200/s, VX11 Operator", "of which fan-out, without publishing"] / 1e6,
        ticket=found[one, "server CPU per ticket"] / 1e6,
        open_stream=found["ticket to stream", "server CPU per stream"] / 1e6,
        replay=found["resume", "server CPU per replayed event"] / 1e6,
        idle_share=found[pays, "CPU of an idle process"] / 100,
        process_megabytes=found[one, "server memory"] - 1_000 * idle_stream / 1_000,
        stream_kilobytes=idle_stream,
    )


@dataclass(frozen=True)
class Site:
    """`per_second` events reach every stream."""

    processes: int
    streams: int
    per_second: float

    def share(self, of: Costs) -> float:
        """Of a core, for each process, when nothing happens but events."""
        event = of.take + (self.processes - 1) * of.hear + self.streams * of.write(self.per_second)
        return of.idle_share + self.per_second * event / self.processes

    def gigabytes(self, of: Costs) -> float:
        return (self.processes * of.process_megabytes + self.streams * of.stream_kilobytes / 1_000) / 1_000


@dataclass(frozen=True)
class Simulated:
    """CPU in seconds of all processes for one delivered event; the rest is of the crowd that comes back."""

    cpu_per_delivery: float
    # Of a core, before.
    highest_share: float
    all_back_seconds: float
    # So late are events at the process that is furthest behind.
    longest_behind_seconds: float


@dataclass(frozen=True)
class Walls:
    """What one Redis and one PostgreSQL carry, measured by benchmarks/curves/walls.py."""

    # CPU seconds of Redis for a message, and for each process that hears it.
    message: float
    heard: float
    commits_per_second: float

    def redis_share(self, site: Site) -> float:
        """Of a core, for the messages of events."""
        return site.per_second * (self.message + site.processes * self.heard)

    def postgres_share(self, site: Site) -> float:
        """Of the commits it takes, when each event is one."""
        return site.per_second / self.commits_per_second


def breaks_first(site: Site, of: Costs, walls: Walls) -> str:
    """What is used up first when events become more, and at how many times as many."""
    used = {
        "the processes": site.share(of) / SHARE_AT_MOST,
        "Redis": walls.redis_share(site) / SHARE_AT_MOST,
        "PostgreSQL's commits": walls.postgres_share(site) / SHARE_AT_MOST,
        "hearing of events": (of.idle_share + site.per_second * of.hear) / SHARE_AT_MOST,
    }
    first = max(used, key=lambda name: used[name])
    return f"{first}, at {1 / used[first]:.2g} x"


def processes_for(streams: int, per_second: float, of: Costs) -> int:
    """As few as stay within SHARE_AT_MOST, and within STREAMS_AT_MOST when one has died.

    Raises ValueError when no number does: each hears of each event.
    """
    room = SHARE_AT_MOST - of.idle_share - per_second * of.hear
    if room <= 0:
        raise ValueError(f"{per_second:g} single events a second are more than any number of processes hears of")
    least = per_second * (of.take - of.hear + streams * of.write(per_second)) / room
    return max(ceil(least), ceil(streams / STREAMS_AT_MOST) + 1)


def simulate(site: Site, of: Costs, *, seed: int = 1) -> Simulated:
    """STEADY_SECONDS of events, then a process dies (when there are two), and its clients come back to the others."""
    return _Run(site, of, random.Random(seed)).run()


class _Run:
    def __init__(self, site: Site, of: Costs, chance: random.Random) -> None:
        self.site, self.of, self.chance = site, of, chance
        share, more = divmod(site.streams, site.processes)
        self.streams = [share + (number < more) for number in range(site.processes)]
        # CPU seconds that wait to be taken.
        self.behind = [0.0] * site.processes
        self.taken = [0.0] * site.processes
        self.published = 0
        self.returning: Counter[int] = Counter()
        self.all_back = 0.0
        self.longest_behind = 0.0

    def run(self) -> Simulated:
        steady, storm = (round(seconds / STEP_SECONDS) for seconds in (STEADY_SECONDS, STORM_SECONDS))
        for step in range(steady):
            self._step(step)
        taken, published = list(self.taken), self.published
        delivered = published * self.site.streams
        if self.site.processes > 1:
            self._kill(steady)
            for step in range(steady, steady + storm):
                self._step(step)
        return Simulated(
            cpu_per_delivery=sum(taken) / delivered if delivered else 0.0,
            highest_share=max(taken) / STEADY_SECONDS,
            all_back_seconds=self.all_back,
            longest_behind_seconds=self.longest_behind,
        )

    def _step(self, step: int) -> None:
        events = self._due(step)
        alive = [number for number, streams in enumerate(self.streams) if streams >= 0]
        takers = Counter(self.chance.choice(alive) for _ in range(events))
        coming = self._arrivals(step, alive)
        write = self.of.write(self.site.per_second)
        for number in alive:
            back = coming[number]
            self.streams[number] += back
            work = self.of.idle_share * STEP_SECONDS
            work += takers[number] * self.of.take + (events - takers[number]) * self.of.hear
            work += events * self.streams[number] * write + back * self._coming_back()
            self.behind[number] += work
            done = min(self.behind[number], STEP_SECONDS)
            self.taken[number] += done
            self.behind[number] -= done
            if back:
                self.all_back = (step + 1) * STEP_SECONDS - STEADY_SECONDS + self.behind[number]
            if step * STEP_SECONDS >= STEADY_SECONDS:
                self.longest_behind = max(self.longest_behind, self.behind[number])

    def _due(self, step: int) -> int:
        """On a timetable: of so many steps, so many events."""
        upto = int((step + 1) * STEP_SECONDS * self.site.per_second)
        events, self.published = upto - self.published, upto
        return events

    def _kill(self, step: int) -> None:
        """The first process; -1 streams are those of a process that is gone."""
        crowd, self.streams[0] = self.streams[0], -1
        for _ in range(crowd):
            seconds = RETRY_SECONDS + self.chance.random() * RETRY_RANDOM_SECONDS
            self.returning[step + round(seconds / STEP_SECONDS)] += 1

    def _arrivals(self, step: int, alive: list[int]) -> Mapping[int, int]:
        """By process. The proxy gives each to any."""
        return Counter(self.chance.choice(alive) for _ in range(self.returning.pop(step, 0)))

    def _coming_back(self) -> float:
        missed = self.site.per_second * (RETRY_SECONDS + RETRY_RANDOM_SECONDS)
        return self.of.ticket + self.of.open_stream + missed * self.of.replay
