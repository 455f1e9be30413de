"""How fast tickets are issued, and how fast they open streams."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence

from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, cost, latency, rate
from benchmarks.load import Load, closed_loop, closing, open_loop, warm_up
from benchmarks.server import Target
from benchmarks.size import Size
from benchmarks.usage import Window
from benchmarks.wire import Connection, EventStream, request

ISSUE_PATH = "/operator/api/events/sse-token"
OFFERED_PER_SECOND = 200
CONNECTIONS = 32


def measure_issue(target: Target, size: Size) -> list[Figure]:
    """Tickets at a steady rate, then as many as the server makes."""
    return measure_issue_by([target], size)


def measure_issue_by(targets: Sequence[Target], size: Size, *, at_least: float | None = None) -> list[Figure]:
    """At a steady rate from the first of several processes, then as many as all of them make together."""
    steady = on_a_loop(issue_steadily, targets[0], size)
    most = on_a_loop(issue_most, targets, size)
    at = f"at {OFFERED_PER_SECOND}/s"
    return [
        *latency(at, steady.latencies_seconds, p95_at_most_ms=50),
        *cost(steady.window, units=len(steady.latencies_seconds), unit=f"ticket {at}"),
        rate(f"most, {CONNECTIONS} connections", most, at_least=at_least),
        *latency(f"{CONNECTIONS} connections", most.latencies_seconds),
        *cost(most.window, units=len(most.latencies_seconds), unit="ticket at most"),
    ]


async def issue_steadily(target: Target, size: Size) -> Load:
    issue = request("POST", ISSUE_PATH, token=target.principal_token)
    with closing([await Connection.open(target.port) for _ in range(CONNECTIONS)]) as connections:
        await warm_up(connections, lambda: issue, requests=size.warm_up_requests)
        return await open_loop(
            connections,
            lambda: issue,
            per_second=OFFERED_PER_SECOND,
            seconds=size.ticket_seconds,
            expected_status=200,
            server_pids=[target.pid],
        )


async def issue_most(targets: Sequence[Target], size: Size, *, count: int = CONNECTIONS) -> Load:
    issue = request("POST", ISSUE_PATH, token=targets[0].principal_token)
    ports = itertools.islice(itertools.cycle(target.port for target in targets), count)
    with closing([await Connection.open(port) for port in ports]) as connections:
        await warm_up(connections, lambda: issue, requests=size.warm_up_requests)
        return await closed_loop(
            connections,
            lambda: issue,
            seconds=size.ticket_seconds,
            expected_status=200,
            server_pids=[target.pid for target in targets],
        )


def measure_redeem(target: Target, size: Size) -> list[Figure]:
    """Streams opened with a ticket each and closed as soon as they are live."""
    load = on_a_loop(open_and_close, target, size)
    return [
        rate(f"opened and closed, {CONNECTIONS} at a time", load),
        *latency("connect to caught-up", load.latencies_seconds),
        *cost(load.window, units=len(load.latencies_seconds), unit="stream"),
    ]


async def open_and_close(target: Target, size: Size) -> Load:
    tickets = await issue(target, count=size.warm_up_requests + size.redemptions)
    await _open_all(target, tickets[: size.warm_up_requests])
    with Window(target.pid) as window:
        latencies = await _open_all(target, tickets[size.warm_up_requests :])
    return Load(latencies, window)


async def _open_all(target: Target, tickets: list[str]) -> list[float]:
    left = iter(tickets)
    latencies: list[float] = []

    async def keep_opening() -> None:
        for ticket in left:
            began = time.perf_counter()
            stream = await EventStream.open(target.port, ticket=ticket, take=lambda frame, received_at: None)
            latencies.append(time.perf_counter() - began)
            stream.close()

    async with asyncio.TaskGroup() as opening:
        for _ in range(CONNECTIONS):
            opening.create_task(keep_opening())
    return latencies


async def issue(target: Target, *, count: int) -> list[str]:
    """Tickets to open streams with, all together soon enough: they live for a minute."""
    bytes_of_request = request("POST", ISSUE_PATH, token=target.principal_token)
    issued: list[str] = []

    async def keep_issuing(connection: Connection, left: Iterator[int]) -> None:
        for _ in left:
            answer = await connection.ask(bytes_of_request)
            issued.append(answer.expect(200).json()["sse_token"])

    left = iter(range(count))
    with closing([await Connection.open(target.port) for _ in range(CONNECTIONS)]) as connections:
        async with asyncio.TaskGroup() as issuing:
            for connection in connections:
                issuing.create_task(keep_issuing(connection, left))
    return issued
