"""A long log to search in: made quickly, the same each time, of words as often as words are."""

import dataclasses
import itertools
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.client import on_a_loop
from benchmarks.publishing import PUBLISH_PATH
from benchmarks.server import Target
from benchmarks.wire import Connection, request
from tests.servers import RunningServer

VOCABULARY_WORDS = 20_000
MODULES = tuple(f"{name}{number}" for name in ("gateway", "spawner", "nginx", "billing") for number in range(5))
TYPES = ("http.access", "http.error", "job.started", "job.done", "disk.usage", "login.failed", "cache.miss")
SEVERITIES = ("info",) * 90 + ("warn",) * 7 + ("error",) * 2 + ("critical",)
STATUSES = (200,) * 90 + (301, 304, 400, 403, 404, 404, 429, 500, 502, 503)
# In so many events of the whole log.
RARE_WORD, RARE_EVENTS = "quetzalcoatl", 20
# As long as retention keeps events.
SPREAD = timedelta(days=30)
BATCH_ROWS = 50_000
COMMAND_TIMEOUT_SECONDS = 3_600
COLUMNS = (
    "seq", "event_id", "event_type", "summary", "module", "severity", "correlation_id", "payload", "created_at",
    "publisher", "fingerprint",
)  # fmt: skip
# Published, so that the log begins; the others follow it.
FIRST = {"event_type": "bench.search", "summary": "the first event"}
# It is older than those that follow it, as it would be in a log that was not made so.
FIRST_IS_OLDEST = "UPDATE events_event SET created_at = (SELECT min(created_at) FROM events_event) WHERE seq = 1"
# The program makes them as its log grows; this log does not grow by the program.
MAKE_PARTITIONS = """
from django.db import transaction
from events.log import partitions
with transaction.atomic():
    partitions.make_room("", 1, {last_seq})
"""
Row = tuple[int, str, str, str, str, str, str, str, datetime, str, str]


class Words(NamedTuple):
    """The most frequent word of summaries, one of the middle, and two that stand beside each other."""

    common: str
    middle: str
    phrase: str


def vocabulary() -> list[str]:
    """Made of syllables, the most frequent first."""
    chance = random.Random(1)
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    found = {"".join(chance.choices(syllables, k=chance.randint(2, 4))): None for _ in range(2 * VOCABULARY_WORDS)}
    return list(found)[:VOCABULARY_WORDS]


def words() -> Words:
    known = vocabulary()
    return Words(known[0], known[300], f"{known[0]} {known[1]}")


def rows(count: int) -> Iterator[Row]:
    """Events of about 400 bytes, oldest first, the last of now."""
    chance, known = random.Random(2), vocabulary()
    weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(known))))
    begin, step = datetime.now(UTC) - SPREAD, SPREAD / count
    every = max(1, count // RARE_EVENTS)
    for first in range(0, count, BATCH_ROWS):
        size = min(BATCH_ROWS, count - first)
        text = chance.choices(known, cum_weights=weights, k=size * 14)
        for number in range(size):
            seq = first + number + 2
            said = text[number * 14 : number * 14 + 14]
            if seq % every == every // 2:
                said[3] = RARE_WORD
            draw = chance.getrandbits(60)
            payload = {
                "http": {
                    "status": STATUSES[draw % 100],
                    "path": f"/{said[8]}/{said[9]}/{draw % 5_000}",
                    "ms": draw % 977,
                },
                "user": f"u{draw % 20_011}",
                "host": f"node-{draw % 41}",
                "message": " ".join(said[8:]),
            }
            yield (
                seq, f"e-{seq}", TYPES[draw % 7], " ".join(said[:8]), MODULES[draw % 20],
                SEVERITIES[(draw >> 8) % 100], f"req-{draw % 1_000_003}", json.dumps(payload, separators=(",", ":")),
                begin + step * seq, "s-bench", "",
            )  # fmt: skip


def fill_sqlite(path: Path, count: int) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executemany(
            f"INSERT INTO events_event ({', '.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608 - names of ours
            ((*row[:8], row[8].strftime("%Y-%m-%d %H:%M:%S.%f"), *row[9:]) for row in rows(count)),
        )
        database.execute(FIRST_IS_OLDEST)
        database.execute("UPDATE events_loghead SET last_seq = ?", (count + 1,))
        database.execute("ANALYZE")
    database.close()


def fill_postgres(server: RunningServer, url: str, count: int) -> None:
    manage(server, "shell", "--command", MAKE_PARTITIONS.format(last_seq=count + 1))
    with psycopg.connect(url) as database, database.cursor() as cursor:
        with cursor.copy(f"COPY events_event ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for row in rows(count):
                copy.write_row(row)
        cursor.execute(FIRST_IS_OLDEST)
        cursor.execute("UPDATE events_loghead SET last_seq = %s", (count + 1,))
        database.commit()
        database.autocommit = True
        cursor.execute("ANALYZE events_event")


def index_bytes_on_postgres(url: str) -> int:
    statement = (
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'vx11_search_%'"
    )
    with psycopg.connect(url) as database:
        row = database.execute(statement).fetchone()
        return int(row[0]) if row and row[0] else 0


def write_lines(path: Path, count: int) -> None:
    """The same events as text, one in each line, for programs that read files."""
    with path.open("w") as out:
        for row in rows(count):
            event = dict(zip(COLUMNS[:7], row, strict=False))
            out.write(f'{json.dumps(event)[:-1]}, "payload": {row[7]}, "at": {row[8].timestamp():.0f}}}\n')


def begin(server: RunningServer, target: Target, fill: Callable[[], None], *, summary: str = FIRST["summary"]) -> None:
    """The first event is published, and `fill` writes the others into the database of the server, which is stopped."""
    on_a_loop(_begin, target, summary)
    server.stop()
    fill()


def started(server: RunningServer, target: Target) -> Target:
    """The target as it is after another start."""
    server.start()
    return dataclasses.replace(target, pid=server.pid, port=server.port)


async def _begin(target: Target, summary: str) -> None:
    """Before the first event it has no head."""
    publish = request("POST", PUBLISH_PATH, token=target.service_token, body={**FIRST, "summary": summary})
    (await Connection.ask_once(target.port, publish)).expect(201)


def reindex(server: RunningServer) -> None:
    """By the command, which does not rest as a server does."""
    manage(server, "reindex")


def manage(server: RunningServer, *command: str) -> None:
    """A command that may take long."""
    subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=server.checkout,
        env=server.environment,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=COMMAND_TIMEOUT_SECONDS,
    )
