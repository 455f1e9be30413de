"""Search in a long log: the time of a page for each kind of query, beside a search engine and beside grep."""

import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks import large_log, search_log
from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, latency
from benchmarks.peers import ours
from benchmarks.peers.python import PROGRAMS
from benchmarks.search_log import RARE_WORD, words
from benchmarks.server import Target, postgres_database, running
from benchmarks.size import Size
from benchmarks.usage import cpu_seconds
from benchmarks.wire import Connection, UnexpectedAnswer, request
from tests.servers import ROOT, RunningServer

NEWEST = 200
NOTHING = "nothing found"
REPEATS = 30
# What a page may take, and no kind of query may take longer.
P95_SQLITE_MS, P95_POSTGRES_MS, LONGEST_MS = 100, 150, 1_200
COUNTS_P95_MS = 50
TANTIVY_AT_MOST, GREP_AT_LEAST = 5, 100
# Names of figures that a plot shows.
MEDIAN, TANTIVY, GREP = "median of all kinds", "tantivy, median of its kinds", "grep for the rare word"
INDEX_BYTES, INDEX_CPU = "index, for each event", "CPU to index an event"
# What is counted of fields alone, by name.
COUNTS = {
    "histogram of 24 hours": "stats?seconds=86400&bucket=900",
    "facets of 24 hours": "facets?fields=module,event_type,severity&from=-24h",
}


def kinds(until: datetime) -> dict[str, dict[str, str]]:
    """What is asked of a log that ends then, by the kind of query."""
    known = words()
    quarter, day = (f"{until - ago:%Y-%m-%dT%H:%M:%SZ}" for ago in (timedelta(minutes=15), timedelta(days=1)))
    return {
        "rare word": {"q": RARE_WORD},
        "common word": {"q": known.common},
        "phrase": {"q": f'"{known.phrase}"'},
        "field": {"q": "module:nginx3"},
        "field and word": {"q": f"severity>=error {known.middle}"},
        "payload number": {"q": "payload.http.status>=500"},
        "negation": {"q": f"module:billing1 -{known.common} -{known.middle}"},
        "either": {"q": f"{RARE_WORD} OR {known.middle}"},
        "prefix": {"q": f"{known.middle[:4]}*"},
        NOTHING: {"q": f"{RARE_WORD} severity:critical module:nginx1 payload.user:absent"},
        "last 15 minutes": {"q": known.common, "from": quarter},
        "24 hours ago": {"q": known.middle, "to": day},
    }


@dataclass(frozen=True)
class Search:
    title: str

    def run(self, size: Size, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
        found = {}
        for count in size.search_events:
            title = f"{self.title}, {count:,} events"
            announce(f"{title}, SQLite")
            with running() as (server, target):
                fill = partial(search_log.fill_sqlite, server.data / "operator.sqlite3", count)
                until = datetime.now(UTC)
                target, indexing = _with_a_log(server, target, count, fill)
                size_bytes = sum(path.stat().st_size for path in server.data.glob("operator-search.sqlite3*"))
                sqlite = on_a_loop(measure_pages, target, until)
                held = Figure(INDEX_BYTES, size_bytes / count, "bytes")
                lived = large_log.measure(server, target, size, count)
                found[f"{title}, SQLite"] = [*indexing, held, *_figures(sqlite, P95_SQLITE_MS), *lived]
            announce(f"{title}, PostgreSQL")
            with postgres_database() as url, running(database_url=url) as (server, target):
                until = datetime.now(UTC)
                fill = partial(search_log.fill_postgres, server, url, count)
                target, indexing = _with_a_log(server, target, count, fill)
                held = Figure(INDEX_BYTES, search_log.index_bytes_on_postgres(url) / count, "bytes")
                postgres = on_a_loop(measure_pages, target, until)
                lived = large_log.measure(server, target, size, count, url)
                found[f"{title}, PostgreSQL"] = [*indexing, held, *_figures(postgres, P95_POSTGRES_MS), *lived]
            found[f"{title}, compared"] = self._compared(sqlite.pages, count, until, announce)
        return found

    def _compared(
        self, sqlite: dict[str, list[float]], count: int, until: datetime, announce: Callable[[str], None]
    ) -> list[Figure]:
        python = PROGRAMS / "python"
        with tempfile.TemporaryDirectory(prefix="vx11-search-") as folder:
            lines = Path(folder) / "events.ndjson"
            search_log.write_lines(lines, count)
            began = time.perf_counter()
            # Into a pipe: a grep that writes to /dev/null stops at the first line it finds.
            subprocess.run(["grep", "-c", RARE_WORD, lines], check=True, stdout=subprocess.PIPE)
            grep_seconds = time.perf_counter() - began
            announce("the same in tantivy")
            command = [str(python), "-m", "benchmarks.peers.tantivy_search", str(lines), folder]
            asked = json.dumps({"kinds": kinds(until), "newest": NEWEST, "repeats": REPEATS})
            done = subprocess.run(command, check=True, cwd=ROOT, input=asked, text=True, stdout=subprocess.PIPE)
        theirs: dict[str, float] = json.loads(done.stdout)
        ours_median = median(median(sqlite[kind]) for kind in theirs)
        return [
            Figure(TANTIVY, median(theirs.values()) * 1000, "ms"),
            Figure("ours on SQLite, to tantivy", ours_median / median(theirs.values()), "x", at_most=TANTIVY_AT_MOST),
            Figure(GREP, grep_seconds * 1000, "ms"),
            Figure("grep, to ours on SQLite", grep_seconds / median(sqlite["rare word"]), "x", at_least=GREP_AT_LEAST),
        ]


class Measured(NamedTuple):
    """Seconds of each answer and the server's CPU for one, by kind; and the kinds whose page was not complete."""

    pages: dict[str, list[float]]
    counts: dict[str, list[float]]
    cpu_seconds: dict[str, float]
    incomplete: list[str]


def _with_a_log(
    server: RunningServer, target: Target, count: int, fill: Callable[[], None]
) -> tuple[Target, list[Figure]]:
    """The server with a long log, and what indexing it took."""
    search_log.begin(server, target, fill)
    indexing = _indexed(server, count)
    return search_log.started(server, target), indexing


def _indexed(server: RunningServer, count: int) -> list[Figure]:
    """By the command, which does not rest as a server does."""
    began, began_cpu_seconds = time.perf_counter(), _commands_cpu_seconds()
    search_log.reindex(server)
    return [
        Figure("events", count, ""),
        Figure("indexed by manage.py reindex", count / (time.perf_counter() - began), "events/s"),
        Figure(INDEX_CPU, (_commands_cpu_seconds() - began_cpu_seconds) / count * 1e6, "us"),
    ]


def _commands_cpu_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def _figures(measured: Measured, p95_ms: float) -> list[Figure]:
    aims = dict.fromkeys(measured.pages, p95_ms) | dict.fromkeys(measured.counts, COUNTS_P95_MS)
    figures = [
        figure
        for kind, seconds in (measured.pages | measured.counts).items()
        for figure in (
            *latency(kind, seconds, p95_at_most_ms=aims[kind])[:2],
            Figure(f"{kind}, server CPU", measured.cpu_seconds[kind] * 1e3, "ms"),
        )
    ]
    longest = max(max(seconds) for seconds in measured.pages.values())
    return [
        *figures,
        Figure(MEDIAN, median(map(median, measured.pages.values())) * 1000, "ms"),
        Figure("server CPU for a page", fmean(map(measured.cpu_seconds.__getitem__, measured.pages)) * 1e3, "ms"),
        Figure("longest of all", longest * 1000, "ms", at_most=LONGEST_MS),
        Figure("kinds that took more than one question", len(measured.incomplete), ""),
    ]


async def measure_pages(target: Target, until: datetime) -> Measured:
    connection, pid = await Connection.open(target.port), target.pid
    try:
        measured = Measured({}, {}, {}, [])
        for kind, asked in kinds(until).items():
            path = f"{ours.PUBLISH_PATH}?{urlencode({**asked, 'limit': NEWEST})}"
            asking = request("GET", path, token=target.principal_token)
            page = (await connection.ask(asking)).expect(200).json()
            if bool(page["events"]) == (kind == NOTHING):
                raise UnexpectedAnswer(f"{kind}: {len(page['events'])} events were found")
            if not page["complete"]:
                measured.incomplete.append(kind)
            measured.pages[kind], measured.cpu_seconds[kind] = await repeated(connection, asking, pid)
        for kind, path in COUNTS.items():
            asking = request("GET", f"{ours.PUBLISH_PATH}/{path}", token=target.principal_token)
            if not (await connection.ask(asking)).expect(200).json()["complete"]:
                measured.incomplete.append(kind)
            measured.counts[kind], measured.cpu_seconds[kind] = await repeated(connection, asking, pid)
        return measured
    finally:
        connection.close()


async def repeated(connection: Connection, asking: bytes, pid: int) -> tuple[list[float], float]:
    """Seconds of each answer, and the server's CPU for one."""
    began = cpu_seconds(pid)
    seconds = [await _seconds(connection, asking) for _ in range(REPEATS)]
    return seconds, (cpu_seconds(pid) - began) / REPEATS


async def _seconds(connection: Connection, asking: bytes) -> float:
    began = time.perf_counter()
    (await connection.ask(asking)).expect(200)
    return time.perf_counter() - began
