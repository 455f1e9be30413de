"""What an index, and people who search without pause, cost everybody else."""

import asyncio
import contextlib
import itertools
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from multiprocessing.synchronize import Event
from urllib.parse import urlencode

from benchmarks import delivery, publishing, search_log
from benchmarks.client import on_a_loop
from benchmarks.comparison import CPU, P99
from benchmarks.delivery import Load
from benchmarks.figures import Figure
from benchmarks.load import closing
from benchmarks.peers import ours
from benchmarks.publishing import BATCH, BATCH_EVENTS, EVENT, PUBLISH_PATH, SINGLE
from benchmarks.searching import kinds
from benchmarks.server import Target, postgres_database, running
from benchmarks.size import Size
from benchmarks.wire import Connection, UnexpectedAnswer, request
from tests.servers import RunningServer

SEARCHERS = 8
READY_SECONDS = 0.25
STREAMS, EVENTS_PER_SECOND = 1000, 20
DELIVERY_AT_MOST, PUBLISHING_AT_LEAST = 1.5, 0.9
LAG_BATCHES_PER_SECOND, LAG_AT_MOST_SECONDS = 50, 2.0
EXTENT = "from events.index import the_index; print(*the_index().extent())"


def measure_delivery(size: Size) -> list[Figure]:
    """Streams alone, and then beside people who search, with a log to search in."""
    load = Load(size.scaled(STREAMS), EVENTS_PER_SECOND, size.fanout_seconds)
    measured = {}
    answers: Counter[int] = Counter()
    with _with_a_log(size.search_events[0]) as target:
        for name in ("alone", "beside"):
            with _searching(target) if name == "beside" else contextlib.nullcontext(answers) as answers:
                figures = delivery.figures(delivery.deliver(ours.peer(target), load))
            measured[name] = {figure.name: figure.value for figure in figures}
    compared = [
        Figure(f"{name}, {beside}", measured[beside][name], unit)
        for name, unit in (("latency, p50", "ms"), (P99, "ms"), (CPU, "us"), ("lost", "events"))
        for beside in measured
    ]
    p99s = [measured[name][P99] for name in ("beside", "alone")]
    return [
        *compared,
        Figure(f"{P99}, beside searches to alone", p99s[0] / p99s[1], "x", at_most=DELIVERY_AT_MOST),
        Figure("searches answered", answers[200], ""),
        Figure("searches told that there is no room", answers[503], ""),
        Figure("/ready said no", answers[READY_FAILED], "times", at_most=0),
    ]


def measure_publishing(size: Size) -> list[Figure]:
    """The same with and without the index."""
    with postgres_database() as url, postgres_database() as other_url:
        places = {"SQLite": ("", ""), "PostgreSQL": (url, other_url)}
        return [figure for name, urls in places.items() for figure in _published(name, urls, size)]


def measure_lag(size: Size) -> list[Figure]:
    with running() as (server, target):
        seconds = max(1.0, size.publish_seconds * LAG_SHARE)
        last_seq, took = on_a_loop(_publish_on_a_timetable, target, seconds)
        lag = _until_indexed(server, last_seq)
    return [
        Figure("published", LAG_BATCHES_PER_SECOND * BATCH_EVENTS * seconds / took, "/s"),
        Figure("index lag at the end", lag, "s", at_most=LAG_AT_MOST_SECONDS),
    ]


# A key of the counter that no status has.
READY_FAILED = 0
# A minute in a full run.
LAG_SHARE = 6


def _published(name: str, urls: Sequence[str], size: Size) -> Iterator[Figure]:
    rates = {}
    for index, url in zip(("off", "on"), urls, strict=True):
        with running(database_url=url, environment={"VX11_SEARCH_INDEX": index}) as (_, target):
            for kind in (SINGLE, BATCH):
                load = on_a_loop(publishing.publish, [target], size, kind)
                rates[kind, index] = load.per_second * kind.events
    for kind, title in ((SINGLE, "single"), (BATCH, f"in batches of {BATCH_EVENTS}")):
        for index in ("off", "on"):
            yield Figure(f"{name}, {title}, index {index}", rates[kind, index], "/s")
        share = rates[kind, "on"] / rates[kind, "off"]
        yield Figure(f"{name}, {title}, on to off", share, "x", at_least=PUBLISHING_AT_LEAST)


@contextlib.contextmanager
def _with_a_log(events: int) -> Iterator[Target]:
    """A server with so many events, indexed."""
    with running() as (server, target):
        search_log.begin(server, target, partial(search_log.fill_sqlite, server.data / "operator.sqlite3", events))
        search_log.reindex(server)
        yield search_log.started(server, target)


@contextlib.contextmanager
def _searching(target: Target) -> Iterator[Counter[int]]:
    """People who search without pause, in a process of their own; the counter is filled in at the end."""
    answers: Counter[int] = Counter()
    context = multiprocessing.get_context("spawn")
    ended, told = context.Event(), context.SimpleQueue()
    process = context.Process(target=_search_until, args=(target, ended, told.put))
    process.start()
    try:
        yield answers
    finally:
        ended.set()
        answers.update(told.get())
        process.join()


def _search_until(target: Target, ended: Event, tell: Callable[[Counter[int]], None]) -> None:
    answers: Counter[int] = Counter()
    try:
        asyncio.run(_search(target, ended, answers))
    finally:
        tell(answers)


async def _search(target: Target, ended: Event, answers: Counter[int]) -> None:
    asked = itertools.cycle([f"?{urlencode({**kind, 'limit': 200})}" for kind in kinds(datetime.now(UTC)).values()])

    async def search(token: str) -> None:
        connection = await Connection.open(target.port)
        while not ended.is_set():
            answer = await connection.ask(request("GET", PUBLISH_PATH + next(asked), token=token))
            answers[answer.status] += 1
            if answer.status == 503:
                await asyncio.sleep(float(json.loads(answer.body).get("retry_after", 1)))
        connection.close()

    async def look() -> None:
        while not ended.is_set():
            status = (await Connection.ask_once(target.port, request("GET", "/ready"))).status
            answers[READY_FAILED] += status != 200
            await asyncio.sleep(READY_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        for token in target.principal_tokens[:SEARCHERS]:
            group.create_task(search(token))


async def _publish_on_a_timetable(target: Target, seconds: float) -> tuple[int, float]:
    """The seq of the last event, and how long it took; it is longer than `seconds` where the server was behind."""
    asked = request("POST", PUBLISH_PATH, token=target.service_token, body={"events": [EVENT] * BATCH_EVENTS})
    last_seq = 0
    with closing([await Connection.open(target.port)]) as [connection]:
        began = time.perf_counter()
        for number in range(round(seconds * LAG_BATCHES_PER_SECOND)):
            await asyncio.sleep(began + number / LAG_BATCHES_PER_SECOND - time.perf_counter())
            cursor = (await connection.ask(asked)).expect(201).json()["cursor"]
            last_seq = int(cursor.rpartition("-")[2])
        return last_seq, time.perf_counter() - began


def _until_indexed(server: RunningServer, seq: int) -> float:
    began = time.perf_counter()
    while time.perf_counter() - began < 60:
        if int(server.python(EXTENT).split()[1]) >= seq:
            return time.perf_counter() - began
        time.sleep(0.05)
    raise UnexpectedAnswer("the index is a minute behind")
