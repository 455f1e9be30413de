"""How many events a second the log takes, each committed to disk before its publisher hears of it."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, cost, latency, rate
from benchmarks.load import Load, closed_loop, closing, warm_up
from benchmarks.server import Target
from benchmarks.size import Size
from benchmarks.wire import Connection, UnexpectedAnswer, request

PUBLISH_PATH = "/operator/api/events"
SINGLE_CONNECTIONS = 32
BATCH_CONNECTIONS = 8
BATCH_EVENTS = 100
EVENT = {
    "event_type": "bench.publish",
    "summary": "disk usage on volume data is above its threshold",
    "severity": "warn",
    "payload": {"volume": "data", "used_percent": 91, "threshold_percent": 90, "host": "node-7"},
}


class Kind(NamedTuple):
    """One way to publish: how many events in a request, and how many requests at a time."""

    events: int
    connections: int


SINGLE = Kind(events=1, connections=SINGLE_CONNECTIONS)
BATCH = Kind(events=BATCH_EVENTS, connections=BATCH_CONNECTIONS)


def measure(target: Target, size: Size) -> list[Figure]:
    """Single events, then batches. A database server's own processes are not in the server's CPU."""
    single = on_a_loop(publish, [target], size, SINGLE)
    batch = on_a_loop(publish, [target], size, BATCH)
    return [
        rate(f"single, {SINGLE_CONNECTIONS} connections", single, at_least=800),
        *latency("single", single.latencies_seconds),
        *cost(single.window, units=len(single.latencies_seconds), unit="single event"),
        rate(
            f"in batches of {BATCH_EVENTS}, {BATCH_CONNECTIONS} connections",
            batch,
            units_per_request=BATCH_EVENTS,
            at_least=6000,
        ),
        *latency("batch", batch.latencies_seconds),
        *cost(batch.window, units=len(batch.latencies_seconds) * BATCH_EVENTS, unit="event in a batch"),
    ]


async def publish(targets: Sequence[Target], size: Size, kind: Kind) -> Load:
    """As many as all processes take together; the connections are spread over them."""
    target = targets[0]
    body = EVENT if kind.events == 1 else {"events": [EVENT] * kind.events}
    bytes_of_request = request("POST", PUBLISH_PATH, token=target.service_token, body=body)
    ports = itertools.islice(itertools.cycle(target.port for target in targets), kind.connections)
    with closing([await Connection.open(port) for port in ports]) as connections:
        await warm_up(connections, lambda: bytes_of_request, requests=size.warm_up_requests)
        before = await _log_length(connections[0], target)
        load = await closed_loop(
            connections,
            lambda: bytes_of_request,
            seconds=size.publish_seconds,
            expected_status=201,
            server_pids=[target.pid for target in targets],
        )
        added = await _log_length(connections[0], target) - before
    if added != len(load.latencies_seconds) * kind.events:
        raise UnexpectedAnswer(f"{len(load.latencies_seconds)} times 201, but the log grew by {added} events")
    return load


async def _log_length(connection: Connection, target: Target) -> int:
    """The seq of the newest event: the log has no holes."""
    answer = await connection.ask(request("GET", f"{PUBLISH_PATH}?limit=1", token=target.principal_token))
    return int(answer.expect(200).json()["cursor"].rpartition("-")[2])
