"""What the length of a log changes besides searching: room, start, publishing, backup, pruning."""

import tempfile
import time
from pathlib import Path

import psycopg

from benchmarks import publishing, search_log
from benchmarks.client import on_a_loop
from benchmarks.figures import Figure
from benchmarks.publishing import BATCH, BATCH_EVENTS, SINGLE
from benchmarks.server import Target
from benchmarks.size import Size
from tests.servers import RunningServer

_DATABASE_BYTES = "SELECT pg_database_size(current_database())"


def measure(server: RunningServer, target: Target, size: Size, count: int, url: str = "") -> list[Figure]:
    """`url` is that of PostgreSQL. The log is half as long afterwards."""
    held_bytes = _on_postgres(url) if url else _on_sqlite(server)
    single = on_a_loop(publishing.publish, [target], size, SINGLE)
    batch = on_a_loop(publishing.publish, [target], size, BATCH)
    backup = ["postgresql", "pg_dump", "--format=custom", "--file"] if url else ["backup"]
    with tempfile.TemporaryDirectory(prefix="vx11-bench-backup-") as folder:
        copied = _seconds(server, *backup, str(Path(folder) / "copy"))
    return [
        Figure("database, for each event", held_bytes / count, "bytes"),
        Figure("publish single", single.per_second, "/s"),
        Figure("publish in batches", batch.per_second * BATCH_EVENTS, "/s"),
        Figure("backup", copied, "s"),
        Figure("prune half", _seconds(server, "prune_events", "--keep-rows", str(count // 2), "--yes"), "s"),
        Figure("start", start_seconds(server), "s"),
    ]


def _seconds(server: RunningServer, *command: str) -> float:
    began = time.perf_counter()
    search_log.manage(server, *command)
    return time.perf_counter() - began


def start_seconds(server: RunningServer) -> float:
    """Until the server answers."""
    server.stop()
    began = time.perf_counter()
    server.start()
    return time.perf_counter() - began


def _on_sqlite(server: RunningServer) -> int:
    """Without the index, which is a file of its own."""
    return sum(path.stat().st_size for path in server.data.glob("operator.sqlite3*"))


def _on_postgres(url: str) -> int:
    """With the index."""
    with psycopg.connect(url) as database:
        row = database.execute(_DATABASE_BYTES).fetchone()
        return int(row[0]) if row else 0
