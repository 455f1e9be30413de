"""What watches cost beside a steady load: CPU, how late a firing is in the outbox, and the latency of readers."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from benchmarks import delivery
from benchmarks.comparison import P99
from benchmarks.delivery import Delivery, Load
from benchmarks.figures import Figure, latency
from benchmarks.peers import ours
from benchmarks.server import Target, running
from benchmarks.size import Size
from benchmarks.wire import HOST, UnexpectedAnswer
from tests.servers import RunningServer
from tests.waiting import wait_until

STREAMS = 100
EVENTS_PER_SECOND = 200
WATCHES = 1000
# One owner has 200 at most.
WATCHES_EACH = 50
# Events that fire a watch, each in a group of its own.
MARKS_PER_SECOND = 4.0
COOLDOWN_SECONDS = 10
# Evaluation looks for events twice a second.
SETTLE_SECONDS = 3.0
SHARE_AT_MOST_PERCENT, OUTBOX_AT_MOST_MS, P99_AT_MOST = 15.0, 2_000.0, 1.1

Kind = tuple[str, dict[str, Any]]
Kinds = tuple[Kind, ...]
API = "/operator/api"
HELD = "vx11_watches_write_seconds"
COUNT = {"kind": "count", "at_least": 3, "within_sec": 60}
# As events of a web service are: their words, fields and numbers are what queries are compared with.
PAYLOAD = {
    "http": {"status": 200, "method": "GET", "path": "/api/orders/4711", "ms": 12.5},
    "user": "olga",
    "text": "order was read from the cache of the second node",
}
# Most watches are about something that seldom happens: a word, a field, a number of a module.
SELDOM: Kinds = (
    ('severity>=warn "connection refused" word{number}', {}),
    ("type:login module:m{number} payload.user:eve", {"group_by": "payload.user"}),
    ("payload.http.status>=500 module:m{number}", {"group_by": "module"}),
    ("timeout node{number} OR deadline node{number}", {}),
    ("severity:critical payload.http.path:/api/orders/{number}", {"condition": {"kind": "every"}}),
    ("type:heartbeat module:m{number}", {"condition": {"kind": "absence", "for_sec": 86_400}}),
    ("type:login payload.host:h{number}", {"condition": {"kind": "new_value", "field": "payload.user", "days": 1}}),
)
# And a few are about each event of the load, two of them by queries that no word decides.
ALWAYS: Kinds = (
    ("type:bench.load", {"condition": {"kind": "count", "at_least": 100, "within_sec": 60}}),
    ("", {"condition": {"kind": "absence", "for_sec": 60}, "group_by": "module"}),
    ("payload.http.status<300", {"group_by": "payload.http.method"}),
    ("-absent type:bench.load", {"condition": {"kind": "every"}, "cooldown_sec": 300}),
    ("ord* -absent", {"condition": {"kind": "new_value", "field": "payload.user", "days": 1}}),
)
MARKED: Kind = ("type:bench.mark", {"condition": {"kind": "every"}, "group_by": "payload.mark", "notify": ["nowhere"]})
# An address that is refused: its notices wait in the outbox, as those of a receiver that is away do.
TARGET = """
from watches.delivery import secrets
from watches.models import Target
Target.objects.create(name="nowhere", address=secrets.encrypt("json://127.0.0.1:9/"), masked="json://127.0.0.1:9/***")
print("added")
"""


@dataclass(frozen=True)
class WatchCost:
    title: str

    def run(self, size: Size, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
        load = Load(size.scaled(STREAMS), EVENTS_PER_SECOND, size.fanout_seconds)
        announce(f"{load}: no watch")
        with running() as (_, target):
            without = _deliver(target, load)
        count = size.scaled(WATCHES)
        announce(f"{load}: {count} watches")
        with running() as (server, target), _client(target) as client:
            _add_watches(server, target, client, count)
            with_watches = _deliver(target, load)
            time.sleep(SETTLE_SECONDS)
            delays = _outbox_delays_seconds(client)
            held_seconds = _held_seconds(client)
        return {
            f"{self.title}, none": delivery.figures(without),
            f"{self.title}, {count}": delivery.figures(with_watches),
            f"{self.title}, compared": [
                *_compared(without, with_watches, delays),
                # Of a machine that is busy otherwise, less changes in this than in latencies.
                Figure("a step, written while publishers wait, mean", held_seconds * 1e3, "ms"),
            ],
        }


def _compared(without: Delivery, with_watches: Delivery, delays: list[float]) -> list[Figure]:
    # For the same events: a machine that is busy otherwise takes longer for them.
    busy = [one.window.server_cpu_seconds / one.load.seconds * 100 for one in (with_watches, without)]
    p99 = [_p99(one) for one in (with_watches, without)]
    return [
        Figure("CPU of the server, beyond none", busy[0] - busy[1], "% of a core", at_most=SHARE_AT_MOST_PERCENT),
        *latency("event to outbox", delays, p95_at_most_ms=OUTBOX_AT_MOST_MS, worst=True),
        Figure(f"{P99}, to none", p99[0] / p99[1], "x", at_most=P99_AT_MOST),
    ]


def _p99(measured: Delivery) -> float:
    return next(figure.value for figure in delivery.figures(measured) if figure.name == P99)


def _deliver(target: Target, load: Load) -> Delivery:
    with _client(target) as client, _marking(target, client):
        return delivery.deliver(ours.peer(target, payload=PAYLOAD), load)


@contextmanager
def _client(target: Target) -> Iterator[httpx2.Client]:
    headers = {"X-VX11-Token": target.principal_token}
    with httpx2.Client(base_url=f"http://{HOST}:{target.port}{API}", headers=headers, trust_env=False) as client:
        yield client


def _add_watches(server: RunningServer, target: Target, client: httpx2.Client, count: int) -> None:
    server.python(TARGET)
    always = [(f"each event {number}", query, more) for number, (query, more) in enumerate(ALWAYS)]
    kinds = itertools.cycle(SELDOM)
    seldom = [
        (f"seldom {number}", query.format(number=number), more)
        for number, (query, more) in zip(range(max(0, count - len(always) - 1)), kinds, strict=False)
    ]
    for number, (name, query, more) in enumerate([("marked", *MARKED), *always, *seldom]):
        body: dict[str, Any] = {
            "name": name,
            "query": query,
            "condition": COUNT,
            "cooldown_sec": COOLDOWN_SECONDS,
            **more,
        }
        owner = target.principal_tokens[number // WATCHES_EACH % len(target.principal_tokens)]
        _asked(client, "POST", "/watches", json=body, headers={"X-VX11-Token": owner})
    _publish_mark(target, client, "first")
    # The first attempt to send imports Apprise, which is seconds of CPU, once in the life of a process.
    wait_until(
        lambda: _asked(client, "GET", "/watches/targets")["targets"][0]["failing"],
        "the first notice fails",
        timeout_seconds=60,
    )
    time.sleep(SETTLE_SECONDS)


@contextmanager
def _marking(target: Target, client: httpx2.Client) -> Iterator[None]:
    """Publishes events that fire a watch, also where there is none: the load is the same then."""
    ending = threading.Event()

    def publish() -> None:
        for number in itertools.count():
            if ending.wait(1 / MARKS_PER_SECOND):
                return
            _publish_mark(target, client, f"m{number}")

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _publish_mark(target: Target, client: httpx2.Client, name: str) -> None:
    event = {"event_type": "bench.mark", "summary": "a mark", "payload": {"mark": name}}
    _asked(client, "POST", "/events", json=event, headers={"X-VX11-Token": target.service_token})


def _asked(client: httpx2.Client, method: str, path: str, **options: Any) -> Any:
    """What was answered. Raises UnexpectedAnswer."""
    try:
        answer = client.request(method, path, **options).raise_for_status()
    except httpx2.HTTPError as error:
        raise UnexpectedAnswer(f"{method} {path}: {error}") from None
    return answer.json()


def _held_seconds(client: httpx2.Client) -> float:
    """What a step of evaluation is written in, on average of all since the server's start."""
    text = client.get(f"{str(client.base_url).partition(API)[0]}/metrics").raise_for_status().text
    total, count = (
        float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{HELD}_{part} ")))
        for part in ("sum", "count")
    )
    return total / max(1.0, count)


def _outbox_delays_seconds(client: httpx2.Client) -> list[float]:
    """From the event that fires a watch to the transaction of its notice: both by the database's clock."""
    firings = _asked(client, "GET", "/watches/fired", params={"limit": 500})["firings"]
    fired = {firing["firing_id"] for firing in firings if firing["name"] == "marked"}
    epoch = firings[0]["cursor"].partition("-")[0]
    events = _asked(
        client, "GET", "/events", params={"event_type": "watch.fired", "limit": 500, "since": f"{epoch}-0"}
    )["events"]
    return [
        (datetime.fromisoformat(event["created_at"]) - datetime.fromisoformat(event["payload"]["at"])).total_seconds()
        for event in events
        if event["payload"]["firing_id"] in fired
    ]
