"""What a second process adds, and what it costs: one and two on PostgreSQL and Redis, each with the same share of load.

Client, servers, Redis and PostgreSQL share one machine, so how much two processes carry by the clock is up to its
cores. What counts is the CPU that an operation takes of the servers: two carry twice as much as one for as long as
it is no dearer with them. What processes pay for each other, however many they are, is measured by itself: the CPU of
a process that only hears of another's events.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import delivery
from benchmarks.client import on_a_loop
from benchmarks.delivery import Load
from benchmarks.figures import Figure, aimed, cost, rate
from benchmarks.load import closing, open_loop, warm_up
from benchmarks.peers import ours
from benchmarks.peers.peer import Peer
from benchmarks.publishing import EVENT, PUBLISH_PATH, SINGLE, publish
from benchmarks.server import Target, serving_together
from benchmarks.size import Size
from benchmarks.tickets import CONNECTIONS, issue_most
from benchmarks.usage import Window
from benchmarks.wire import Connection, request

PROCESSES = 2
# Of each process.
STREAMS = 1000
EVENTS_PER_SECOND = 20
# So few that each is a commit and a message of its own; so many that their CPU is more than the clock's ticks.
HEARD_PER_SECOND = 100
# By two processes for each CPU second, of what one carries twice: an operation may be dearer by 11 %.
CARRIED_AT_MIN = 1.8
NOTHING_LOST = {"lost": 0.0, "received twice": 0.0}

DELIVERED, TICKETS, PUBLISHED = "events delivered", "tickets", "events published"
DELIVERY_CPU = "server CPU per delivered event"
TICKET_CPU = "server CPU per ticket"
PUBLISH_CPU = "server CPU per published event"
WRITING_CPU = "of which fan-out, without publishing"
TAKING_CPU = f"CPU of the process that takes an event, at {HEARD_PER_SECOND}/s"
HEARING_CPU = f"CPU of a process that hears of it, at {HEARD_PER_SECOND}/s"
IDLE_CPU = "CPU of an idle process"
BY_FORMULA = "CPU of two by the formula, to measured"
# By their CPU. The log is one: nothing is asked of how many events two take.
CARRIED = {
    DELIVERY_CPU: (DELIVERED, CARRIED_AT_MIN),
    TICKET_CPU: (TICKETS, CARRIED_AT_MIN),
    PUBLISH_CPU: (PUBLISHED, None),
}


@dataclass(frozen=True)
class Scaling:
    title: str

    def run(self, size: Size, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
        each = Load(size.scaled(STREAMS), EVENTS_PER_SECOND, size.fanout_seconds)
        with serving_together(1) as (targets, _):
            announce(f"one process on PostgreSQL and Redis: {targets[0].pid}")
            one = measure(targets, each, size)
        with serving_together(PROCESSES) as (targets, _):
            announce(f"two of them: {', '.join(str(target.pid) for target in targets)}")
            two = measure(targets, each, size)
            same = deliver(targets, each)
            pays = on_a_loop(measure_hearing, targets, size)
        return {
            f"{self.title}, one process": one,
            f"{self.title}, two processes": two,
            f"{self.title}, two processes, {each.streams} streams together": same,
            f"{self.title}, one process for another": pays,
            f"{self.title}, compared": compared(one, two, same, pays),
        }


def measure(targets: Sequence[Target], each: Load, size: Size) -> list[Figure]:
    """So many streams, and so many connections that ask for tickets and that publish, for each process."""
    figures = deliver(targets, dataclasses.replace(each, streams=each.streams * len(targets)))
    issued = on_a_loop(issue_most, targets, size, count=CONNECTIONS * len(targets))
    kind = SINGLE._replace(connections=SINGLE.connections * len(targets))
    published = on_a_loop(publish, targets, size, kind)
    return [
        *figures,
        rate(TICKETS, issued),
        *cost(issued.window, units=len(issued.latencies_seconds), unit="ticket"),
        rate(PUBLISHED, published),
        *cost(published.window, units=len(published.latencies_seconds), unit="published event"),
    ]


def deliver(targets: Sequence[Target], load: Load) -> list[Figure]:
    """Streams and publishers spread over all processes."""
    delivered = delivery.deliver(_together(targets), load)
    per_second = Figure(DELIVERED, delivered.received / delivered.window.seconds, "/s")
    return [per_second, *aimed(delivery.figures(delivered), NOTHING_LOST)]


def _together(targets: Sequence[Target]) -> Peer:
    return dataclasses.replace(
        ours.peer(targets[0]),
        pids=tuple(target.pid for target in targets),
        more_ports=tuple(target.port for target in targets[1:]),
    )


async def measure_hearing(targets: Sequence[Target], size: Size) -> list[Figure]:
    """The first takes all events, the second hears of them, nobody reads. What they take when idle is not counted."""
    first, second = targets
    event = request("POST", PUBLISH_PATH, token=first.service_token, body=EVENT)
    # It hears of nothing before its first event or stream.
    (await Connection.ask_once(second.port, event)).expect(201)
    with closing([await Connection.open(first.port) for _ in range(SINGLE.connections)]) as connections:
        await warm_up(connections, lambda: event, requests=size.warm_up_requests)
        with Window(first.pid) as first_idle, Window(second.pid) as second_idle:
            await asyncio.sleep(size.publish_seconds)
        with Window(first.pid) as taking, Window(second.pid) as hearing:
            load = await open_loop(
                connections,
                lambda: event,
                per_second=HEARD_PER_SECOND,
                seconds=size.publish_seconds,
                expected_status=201,
                server_pids=[first.pid, second.pid],
            )
    events = len(load.latencies_seconds)
    return [
        Figure(TAKING_CPU, _more_than(first_idle, taking) / events * 1e6, "us"),
        Figure(HEARING_CPU, _more_than(second_idle, hearing) / events * 1e6, "us"),
        Figure(IDLE_CPU, second_idle.server_cpu_seconds / second_idle.seconds * 100, "%"),
    ]


def _more_than(idle: Window, window: Window) -> float:
    """CPU seconds that the work took, without those that pass anyway."""
    return max(0.0, window.server_cpu_seconds - idle.server_cpu_seconds / idle.seconds * window.seconds)


def compared(
    one: Sequence[Figure], two: Sequence[Figure], same: Sequence[Figure], pays: Sequence[Figure]
) -> list[Figure]:
    """How many times as much two processes carry as one, were each given a whole core."""
    return [
        *(
            Figure(f"{name}, two to one for the same CPU each", carried(one, two, cpu), "x", at_least=at_least)
            for cpu, (name, at_least) in CARRIED.items()
        ),
        Figure("the same to as many streams as one has", carried(one, same, DELIVERY_CPU), "x"),
        Figure(BY_FORMULA, _by_formula(one, two, pays), "x"),
    ]


def carried(one: Sequence[Figure], two: Sequence[Figure], cpu: str) -> float:
    # In a moment too short to be measured, nobody takes any CPU.
    return PROCESSES * values(one)[cpu] / (values(two)[cpu] or values(one)[cpu] or 1.0)


def _by_formula(one: Sequence[Figure], two: Sequence[Figure], pays: Sequence[Figure]) -> float:
    """docs/scaling.md has it: of a second, all CPU of the servers at the load of two, foretold and measured."""
    delivered_per_second, pay = values(two)[DELIVERED], values(pays)
    event_us = pay[TAKING_CPU] + (PROCESSES - 1) * pay[HEARING_CPU]
    idle_us = PROCESSES * pay[IDLE_CPU] / 100 * 1e6
    foretold_us = idle_us + EVENTS_PER_SECOND * event_us + delivered_per_second * values(one)[WRITING_CPU]
    return foretold_us / (delivered_per_second * values(two)[DELIVERY_CPU] or foretold_us or 1.0)


def values(figures: Sequence[Figure]) -> Mapping[str, float]:
    """By their names; of several with the same name, the last."""
    return {figure.name: figure.value for figure in figures}
