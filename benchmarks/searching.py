"""Search in a long log: the time of a page for each kind of query, beside a search engine and beside grep."""

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from benchmarks import search_log
from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, latency
from benchmarks.peers import ours
from benchmarks.peers.python import PROGRAMS
from benchmarks.search_log import RARE_WORD, words
from benchmarks.server import Target, postgres_database, running
from benchmarks.size import Size
from benchmarks.wire import Connection, UnexpectedAnswer, request
from tests.servers import ROOT

NEWEST = 200
REPEATS = 30
# What a page may take, and no kind of query may take longer.
P95_SQLITE_MS, P95_POSTGRES_MS, LONGEST_MS = 100, 150, 1_200
TANTIVY_AT_MOST, GREP_AT_LEAST = 5, 100
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
        "nothing found": {"q": f"{RARE_WORD} severity:critical module:nginx1 payload.user:nobody"},
        "last 15 minutes": {"q": known.common, "from": "-15m"},
        "24 hours ago": {"q": known.middle, "to": "-24h"},
    }


@dataclass(frozen=True)
class Search:
    title: str

    def run(self, size: Size, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
        count = size.search_events
        found = {}
        announce(f"{count:,} events on SQLite")
        with running() as (server, target):
            server.stop()
            search_log.fill_sqlite(server.data / "operator.sqlite3", count)
            server.start()
            sqlite = self._measured(target, count, announce)
            found[f"{self.title}, SQLite"] = _figures(sqlite, P95_SQLITE_MS)
        announce(f"{count:,} events on PostgreSQL")
        with postgres_database() as url, running(database_url=url) as (server, target):
            server.stop()
            search_log.fill_postgres(url, count)
            server.start()
            found[f"{self.title}, PostgreSQL"] = _figures(self._measured(target, count, announce), P95_POSTGRES_MS)
        found[f"{self.title}, compared"] = self._compared(sqlite, count, announce)
        return found

    def _measured(self, target: Target, count: int, announce: Callable[[str], None]) -> dict[str, list[float]]:
        return on_a_loop(_measure, target, count, announce)

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
            Figure("tantivy, median of its kinds", median(theirs.values()) * 1000, "ms"),
            Figure("ours on SQLite, to tantivy", ours_median / median(theirs.values()), "x", at_most=TANTIVY_AT_MOST),
            Figure("grep for the rare word", grep_seconds * 1000, "ms"),
            Figure("grep, to ours on SQLite", grep_seconds / median(sqlite["rare word"]), "x", at_least=GREP_AT_LEAST),
        ]


def _figures(latencies: dict[str, list[float]], p95_ms: float) -> list[Figure]:
    figures = [
        figure
        for kind, seconds in latencies.items()
        for figure in latency(kind, seconds, p95_at_most_ms=p95_ms)
        if figure.name.endswith("p95") or figure.name.endswith("p50")
    ]
    longest = max(max(seconds) for seconds in latencies.values())
    return [*figures, Figure("longest of all", longest * 1000, "ms", at_most=LONGEST_MS)]


async def _measure(target: Target, count: int, announce: Callable[[str], None]) -> dict[str, list[float]]:
    connection = await Connection.open(target.port)
    try:
        await _until_indexed(connection, target, announce)
        latencies = {}
        for kind, asked in kinds().items():
            asking = request(
                "GET",
                f"{ours.PUBLISH_PATH}?{urlencode({**asked, 'limit': NEWEST})}",
                token=target.principal_token,
            )
            answer = (await connection.ask(asking)).expect(200).json()
            if not answer["complete"]:
                announce(f"{kind}: not complete, {len(answer['events'])} found")
            latencies[kind] = [await _seconds(connection, asking) for _ in range(REPEATS)]
        return latencies
    finally:
        connection.close()


async def _seconds(connection: Connection, asking: bytes) -> float:
    began = time.perf_counter()
    (await connection.ask(asking)).expect(200)
    return time.perf_counter() - began


async def _until_indexed(connection: Connection, target: Target, announce: Callable[[str], None]) -> None:
    began = time.perf_counter()
    metrics = request("GET", "/metrics", token=target.principal_token)
    while True:
        text = (await connection.ask(metrics)).expect(200).body.decode()
        lag = next((line for line in text.splitlines() if line.startswith("vx11_search_index_lag_events ")), "")
        if lag and float(lag.split()[1]) == 0:
            announce(f"indexed after {time.perf_counter() - began:.0f} s")
            return
        if time.perf_counter() - began > INDEXED_TIMEOUT_SECONDS:
            raise UnexpectedAnswer("the index is not complete after an hour")
        await asyncio.sleep(1)
