"""Search in a long log: the time of a page for each kind of query, beside a search engine and beside grep."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks import search_log
from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, latency
from benchmarks.peers import ours
from benchmarks.peers.python import PROGRAMS
from benchmarks.search_log import RARE_WORD, words
from benchmarks.server import Target, postgres_database, running
from benchmarks.size import Size
from benchmarks.usage import cpu_seconds
from benchmarks.wire import Connection, UnexpectedAnswer, request
from tests.servers import ROOT

NEWEST = 200
NOTHING = "nothing found"
REPEATS = 30
# What a page may take, and no kind of query may take longer.
P95_SQLITE_MS, P95_POSTGRES_MS, LONGEST_MS = 100, 150, 1_200
TANTIVY_AT_MOST, GREP_AT_LEAST = 5, 100
# Names of figures that a plot shows.
MEDIAN, TANTIVY, GREP = "median of all kinds", "tantivy, median of its kinds", "grep for the rare word"
INDEX_BYTES, INDEX_CPU = "index, for each event", "CPU of the server to index an event"
INDEXED_TIMEOUT_SECONDS = 3_600


def kinds() -> dict[str, dict[str, str]]:
    """What is asked, by the kind of query."""
    known = words()
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
        "last 15 minutes": {"q": known.common, "from": "-15m"},
        "24 hours ago": {"q": known.middle, "to": "-24h"},
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
                on_a_loop(begin_the_log, target)
                server.stop()
                search_log.fill_sqlite(server.data / "operator.sqlite3", count)
                server.start()
                indexing = _indexing(partial(search_log.indexed_on_sqlite, server.data), server.pid, count)
                size_bytes = sum(path.stat().st_size for path in server.data.glob("operator-search.sqlite3*"))
                sqlite = on_a_loop(_measure, target, server.pid)
                held = Figure(INDEX_BYTES, size_bytes / count, "bytes")
                found[f"{title}, SQLite"] = [*indexing, held, *_figures(sqlite, P95_SQLITE_MS)]
            announce(f"{title}, PostgreSQL")
            with postgres_database() as url, running(database_url=url) as (server, target):
                on_a_loop(begin_the_log, target)
                server.stop()
                search_log.fill_postgres(url, count)
                server.start()
                indexing = _indexing(partial(search_log.indexed_on_postgres, url), server.pid, count)
                held = Figure(INDEX_BYTES, search_log.index_bytes_on_postgres(url) / count, "bytes")
                postgres = on_a_loop(_measure, target, server.pid)
                found[f"{title}, PostgreSQL"] = [*indexing, held, *_figures(postgres, P95_POSTGRES_MS)]
            found[f"{title}, compared"] = self._compared(sqlite.latencies, count, announce)
        return found

    def _compared(self, sqlite: dict[str, list[float]], count: int, announce: Callable[[str], None]) -> list[Figure]:
        python = PROGRAMS / "python"
        with tempfile.TemporaryDirectory(prefix="vx11-search-") as folder:
            lines = Path(folder) / "events.ndjson"
            search_log.write_lines(lines, count)
            began = time.perf_counter()
            subprocess.run(["grep", "-c", RARE_WORD, lines], check=True, stdout=subprocess.DEVNULL)
            grep_seconds = time.perf_counter() - began
            announce("the same in tantivy")
            command = [str(python), "-m", "benchmarks.peers.tantivy_search", str(lines), folder]
            asked = json.dumps({"kinds": kinds(), "newest": NEWEST, "repeats": REPEATS})
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
    """Seconds of each page by kind of query, the server's CPU for all, and the kinds whose page was not complete."""

    latencies: dict[str, list[float]]
    cpu_seconds: float
    incomplete: list[str]


def _indexing(extent: Callable[[], tuple[int, int]], pid: int, count: int) -> list[Figure]:
    """Waits for it."""
    began_cpu_seconds, seconds = cpu_seconds(pid), until_indexed(extent, count)
    return [
        Figure("events", count, ""),
        Figure("indexed", count / seconds, "events/s"),
        Figure(INDEX_CPU, (cpu_seconds(pid) - began_cpu_seconds) / count * 1e6, "us"),
    ]


def _figures(measured: Measured, p95_ms: float) -> list[Figure]:
    figures = [
        figure
        for kind, seconds in measured.latencies.items()
        for figure in latency(kind, seconds, p95_at_most_ms=p95_ms)
        if not figure.name.endswith("p99")
    ]
    longest = max(max(seconds) for seconds in measured.latencies.values())
    medians = list(map(median, measured.latencies.values()))
    return [
        *figures,
        Figure(MEDIAN, median(medians) * 1000, "ms"),
        Figure("server CPU for a page", measured.cpu_seconds / REPEATS / len(medians) * 1e3, "ms"),
        Figure("longest of all", longest * 1000, "ms", at_most=LONGEST_MS),
        Figure("kinds that took more than one question", len(measured.incomplete), ""),
    ]


async def _measure(target: Target, pid: int) -> Measured:
    connection = await Connection.open(target.port)
    try:
        latencies, incomplete, taken = {}, [], 0.0
        for kind, asked in kinds().items():
            path = f"{ours.PUBLISH_PATH}?{urlencode({**asked, 'limit': NEWEST})}"
            asking = request("GET", path, token=target.principal_token)
            page = (await connection.ask(asking)).expect(200).json()
            if bool(page["events"]) == (kind == NOTHING):
                raise UnexpectedAnswer(f"{kind}: {len(page['events'])} events were found")
            if not page["complete"]:
                incomplete.append(kind)
            began = cpu_seconds(pid)
            latencies[kind] = [await _seconds(connection, asking) for _ in range(REPEATS)]
            taken += cpu_seconds(pid) - began
        return Measured(latencies, taken, incomplete)
    finally:
        connection.close()


async def begin_the_log(target: Target, summary: str = search_log.FIRST["summary"]) -> None:
    """Before the first event it has no head."""
    body = {**search_log.FIRST, "summary": summary}
    publish = request("POST", ours.PUBLISH_PATH, token=target.service_token, body=body)
    (await Connection.ask_once(target.port, publish)).expect(201)


async def _seconds(connection: Connection, asking: bytes) -> float:
    began = time.perf_counter()
    (await connection.ask(asking)).expect(200)
    return time.perf_counter() - began


def until_indexed(extent: Callable[[], tuple[int, int]], count: int) -> float:
    """How many seconds it took."""
    began = time.perf_counter()
    while time.perf_counter() - began < INDEXED_TIMEOUT_SECONDS:
        low, high = extent()
        if low == 1 and high > count:
            return time.perf_counter() - began
        time.sleep(1)
    raise UnexpectedAnswer("the index is not complete after an hour")
