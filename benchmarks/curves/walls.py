"""What N processes share: how many messages one Redis sends, how many commits and rows one PostgreSQL takes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector

import psycopg
import redis

from benchmarks import search_log
from benchmarks.client import in_own_process
from benchmarks.curves.curve import Curve, Line, Point
from benchmarks.server import running
from benchmarks.size import Size
from benchmarks.usage import cpu_seconds
from benchmarks.wire import HOST
from tests.stores import PrivatePostgres, PrivateRedis

CHANNEL = "vx11:bench"
# An event with its envelope, as processes send it to each other.
MESSAGE_BYTES = 500
# So many are sent before answers are read, as busy processes together have.
PIPELINED = 50
SUBSCRIBERS = (1, 2, 4, 8, 16, 32, 64)
WRITERS = (1, 2, 4)
ROWS_OF_A_COMMIT = (1, 100)
READ_BYTES = 1 << 20
REDIS_CPU = Line("CPU of Redis for a message to all", "us")
REDIS_WALL = Line("messages/s at a whole core", "/s", judged=False)
ONE_EVENT = Line("commits/s of 1 event", "/s", judged=False)
LOCK_HEAD = "SELECT last_seq FROM events_loghead WHERE id = 1 FOR UPDATE"
MOVE_HEAD = "UPDATE events_loghead SET last_seq = %s WHERE id = 1"


def measure_redis(name: str, size: Size, announce: Callable[[str], None]) -> Curve:
    points = []
    for subscribers in SUBSCRIBERS:
        announce(f"Redis, {subscribers} processes that hear")
        with PrivateRedis() as server:
            cpu = in_own_process(_message_cpu_seconds, server.port, server.process.pid, subscribers, size)
        points.append(Point(subscribers, {REDIS_CPU.name: cpu * 1e6, REDIS_WALL.name: 1 / cpu}))
    title = f"One Redis, by processes that hear a message of {MESSAGE_BYTES} bytes"
    return Curve(name, title, "processes", (REDIS_CPU, REDIS_WALL), points)


def _message_cpu_seconds(port: int, pid: int, subscribers: int, size: Size) -> float:
    with _subscribed(port, subscribers), redis.Redis(host=HOST, port=port) as client:
        until, sent, began = time.perf_counter() + size.publish_seconds, 0, cpu_seconds(pid)
        while time.perf_counter() < until:
            with client.pipeline(transaction=False) as pipeline:
                for _ in range(PIPELINED):
                    pipeline.publish(CHANNEL, b"x" * MESSAGE_BYTES)
                heard = pipeline.execute()
            if set(heard) != {subscribers}:
                raise OSError(f"heard by {set(heard)}, not by {subscribers}")
            sent += PIPELINED
        # In a moment too short to be measured, a tick is the most that it can have been.
        return max(cpu_seconds(pid) - began, 0.01) / sent


@contextmanager
def _subscribed(port: int, count: int) -> Iterator[None]:
    """Connections that read what comes and do nothing with it."""
    ended, selector = threading.Event(), DefaultSelector()
    connections = [socket.create_connection((HOST, port)) for _ in range(count)]
    for connection in connections:
        connection.sendall(f"SUBSCRIBE {CHANNEL}\r\n".encode())
        connection.recv(READ_BYTES)
        selector.register(connection, EVENT_READ, connection)

    def read() -> None:
        while not ended.is_set():
            for key, _ in selector.select(timeout=0.1):
                key.data.recv(READ_BYTES)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()
        for connection in connections:
            connection.close()


def measure_postgres(name: str, size: Size, announce: Callable[[str], None]) -> Curve:
    """The statements of an append, without this program: what is left when servers cost nothing."""
    points = []
    for writers in WRITERS:
        figures = {}
        for rows in ROWS_OF_A_COMMIT:
            announce(f"PostgreSQL, {writers} that write, {rows} events in a commit")
            with PrivatePostgres(durable=True) as postgres:
                url = postgres.create_database("bench")
                with running(database_url=url) as (server, target):
                    search_log.begin(server, target, lambda: None)
                figures[_commits(rows)] = in_own_process(_commits_per_second, url, writers, rows, size)
        points.append(Point(writers, figures))
    lines = [Line(_commits(rows), "/s", judged=False) for rows in ROWS_OF_A_COMMIT]
    return Curve(name, "One PostgreSQL, by processes that write, fsync on", "processes", lines, points)


def _commits(rows: int) -> str:
    return ONE_EVENT.name if rows == 1 else f"commits/s of {rows} events"


def _commits_per_second(url: str, writers: int, rows: int, size: Size) -> float:
    until = time.perf_counter() + size.publish_seconds
    with ThreadPoolExecutor(writers) as threads:
        done = sum(threads.map(lambda _: _append_until(url, until, rows), range(writers)))
    return done / size.publish_seconds


def _append_until(url: str, until: float, rows: int) -> int:
    """How many commits one connection got."""
    columns, marks = ", ".join(search_log.COLUMNS), ", ".join(["%s"] * len(search_log.COLUMNS))
    insert = f"INSERT INTO events_event ({columns}) VALUES ({marks})"  # noqa: S608 - names of ours
    batch, done = list(search_log.rows(rows)), 0
    with psycopg.connect(url) as database:
        # Once at least, however short the time is.
        while not done or time.perf_counter() < until:
            (last,) = database.execute(LOCK_HEAD).fetchone() or (0,)
            numbered = [(last + number, f"e-{last + number}", *row[2:]) for number, row in enumerate(batch, 1)]
            database.cursor().executemany(insert, numbered)
            database.execute(MOVE_HEAD, (last + rows,))
            database.commit()
            done += 1
    return done
