"""What the length of the log changes: publishing, the newest page, a replay, searching, pruning, starting."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from statistics import fmean, median

from benchmarks import large_log, publishing, search_log
from benchmarks.client import in_own_process, on_a_loop
from benchmarks.curves.curve import Curve, Line, Point
from benchmarks.peers import ours
from benchmarks.publishing import PUBLISH_PATH, SINGLE
from benchmarks.resume import newest_cursor
from benchmarks.searching import measure_pages, repeated
from benchmarks.server import Target, running
from benchmarks.size import Size
from benchmarks.streams import open_all
from benchmarks.usage import cpu_seconds
from benchmarks.wire import Connection, request
from tests.servers import RunningServer

REPLAYED = 1_000
PRUNED = 1_000
REPLAYS = 50
PUBLISH = Line("publish, CPU of an event", "us")
NEWEST = Line("newest page, CPU", "ms")
REPLAY = Line(f"replay of {REPLAYED}, CPU", "ms")
SEARCH = Line("search, CPU, mean of 12 kinds", "ms")
SEARCH_MEDIAN = Line("search, median", "ms", judged=False)
PRUNE = Line(f"prune {PRUNED}", "s", judged=False)
START = Line("start", "s", judged=False)
LINES = (PUBLISH, NEWEST, REPLAY, SEARCH, SEARCH_MEDIAN, PRUNE, START)


def measure(name: str, size: Size, announce: Callable[[str], None], *, counts: Sequence[int]) -> Curve:
    """On SQLite, with the index."""
    points = [_point(count, size, announce) for count in counts]
    return Curve(name, "By events in the log, SQLite", "events in the log", LINES, points)


def _point(count: int, size: Size, announce: Callable[[str], None]) -> Point:
    announce(f"a log of {count:,} events")
    with running() as (server, target):
        until = datetime.now(UTC)
        search_log.begin(server, target, partial(search_log.fill_sqlite, server.data / "operator.sqlite3", count))
        search_log.reindex(server)
        target = search_log.started(server, target)
        pages = on_a_loop(measure_pages, target, until)
        published = on_a_loop(publishing.publish, [target], size, SINGLE)
        figures = {
            PUBLISH.name: published.window.server_cpu_seconds / len(published.latencies_seconds) * 1e6,
            NEWEST.name: on_a_loop(_newest_cpu_seconds, target) * 1e3,
            REPLAY.name: in_own_process(_replay_cpu_seconds, target) * 1e3,
            SEARCH.name: fmean(pages.cpu_seconds[kind] for kind in pages.pages) * 1e3,
            SEARCH_MEDIAN.name: median(map(median, pages.pages.values())) * 1e3,
            PRUNE.name: _prune_seconds(server, target),
            START.name: large_log.start_seconds(server),
        }
    return Point(count, figures)


async def _newest_cpu_seconds(target: Target) -> float:
    connection = await Connection.open(target.port)
    asking = request("GET", f"{PUBLISH_PATH}?limit=200", token=target.principal_token)
    try:
        (await connection.ask(asking)).expect(200)
        _, seconds = await repeated(connection, asking, target.pid)
        return seconds
    finally:
        connection.close()


def _replay_cpu_seconds(target: Target) -> float:
    """Of one stream that begins so many events before the end."""
    epoch, _, last = asyncio.run(newest_cursor(target)).rpartition("-")
    peer = ours.peer(target, queries=(f"?last_event_id={epoch}-{int(last) - REPLAYED}",))
    began = cpu_seconds(target.pid)
    for connection in [opened for _ in range(REPLAYS) for opened in open_all(peer, count=1)]:
        connection.close()
    return (cpu_seconds(target.pid) - began) / REPLAYS


def _prune_seconds(server: RunningServer, target: Target) -> float:
    """Beside the server."""
    last = int(asyncio.run(newest_cursor(target)).rpartition("-")[2])
    began = time.perf_counter()
    search_log.manage(server, "prune_events", "--keep-rows", str(last - PRUNED), "--yes")
    return time.perf_counter() - began
