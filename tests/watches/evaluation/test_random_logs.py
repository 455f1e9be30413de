"""Random logs, processes that die, take over, fight and lose commits, and watches that begin late.

What fired is what a plain reading of the whole log says, and each firing is one event.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
import pytest
from django.db import OperationalError

from events import log
from events.models import Event
from tests.watches.conditions import reading_of_the_log as reading
from tests.watches.database_time import DatabaseTime
from tests.watches.samples import create, evaluate, happen, owner, taking_over, types_written, written
from watches.conditions.rules import DAY_SECONDS
from watches.evaluation import log_reader, recording
from watches.evaluation.log_reader import LogReader
from watches.evaluation.recording import Moved
from watches.models import Firing, Watch

pytestmark = pytest.mark.usefixtures("ledger")

ACTIONS = 90
CONDITIONS: list[dict[str, Any]] = [
    {"kind": "count", "at_least": 1, "within_sec": 20},
    {"kind": "count", "at_least": 3, "within_sec": 30},
    {"kind": "absence", "for_sec": 15},
    {"kind": "absence", "for_sec": 60},
    {"kind": "every"},
    {"kind": "new_value", "field": "payload.user", "days": 1},
]
QUERIES = ["", "disk", "disk -severity:info", "severity>=warn", "payload.user:eve OR module:b"]
GROUPS = ["", "module", "payload.user"]


def matches(query: str, event: Event) -> bool:
    """The queries above, said once more."""
    has_disk, user = "disk" in event.summary, orjson.loads(event.payload).get("user")
    return {
        "": True,
        "disk": has_disk,
        "disk -severity:info": has_disk and event.severity != "info",
        "severity>=warn": event.severity in ("warn", "error", "critical"),
        "payload.user:eve OR module:b": user == "eve" or event.module == "b",
    }[query]


class World:
    """A log and its readers, of which each may die at any moment."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random = random.Random(seed)
        self.time = DatabaseTime(monkeypatch)
        self.by = owner()
        self.readers: list[LogReader] = []
        self.events = 0
        self._commit = recording.record
        # What becomes of the next commit: "", "fails", "is lost".
        self.next_commit = ""
        monkeypatch.setattr(recording, "record", self._record)
        monkeypatch.setattr(log_reader, "PAGE_ROWS", 4)

    def act(self) -> None:
        actions: list[tuple[int, Callable[[], object]]] = [
            (6, self.happen),
            (6, lambda: self.time.pass_seconds(self.random.choice([0, 0.5, 3, 10, 15, 40]))),
            (6, self.step),
            (1, lambda: self.time.pass_seconds(self.random.choice([DAY_SECONDS * 0.6, 600]))),
            (1, self.take_over),
            (1, self.watch),
            (1, self.spoil),
        ]
        choices = [action for weight, action in actions for _ in range(weight)]
        self.random.choice(choices)()

    def happen(self) -> None:
        for _ in range(self.random.choice([1, 1, 2, 5])):
            self.events += 1
            payload = self.random.choice(
                [{}, {"user": "eve"}, {"user": "bob"}, {"user": f"u{self.random.randint(1, 6)}"}]
            )
            happen(
                f"e{self.events}",
                module=self.random.choice("ab"),
                severity=self.random.choice(["info", "warn", "critical"]),
                summary=self.random.choice(["disk full", "all is well"]),
                payload=payload,
            )

    def step(self) -> None:
        if not self.readers:
            self.take_over()
        for _ in range(self.random.choice([1, 1, 2, 4])):
            # Mostly the one that took over last; sometimes one that has lost its lease and does not know.
            reader = self.readers[-1] if self.random.random() < 0.8 else self.random.choice(self.readers)
            try:
                reader.step()
            except (Moved, OperationalError):
                continue

    def take_over(self) -> None:
        self.readers.append(taking_over())

    def watch(self) -> None:
        condition = self.random.choice(CONDITIONS)
        group_by = "" if condition["kind"] == "new_value" else self.random.choice(GROUPS)
        cooldown = self.random.choice([10, 35])
        query = self.random.choice(QUERIES)
        create(self.by, query=query, condition=condition, group_by=group_by, cooldown_sec=cooldown, shared=True)

    def spoil(self) -> None:
        self.next_commit = self.random.choice(["fails", "is lost"])

    def _record(self, *args: Any) -> None:
        spoilt, self.next_commit = self.next_commit, ""
        if spoilt != "fails":
            self._commit(*args)
        if spoilt:
            raise OperationalError(f"the commit {spoilt}")


def group_of(watch: Watch, event: Event) -> str:
    if not watch.group_by:
        return ""
    return event.module if watch.group_by == "module" else orjson.loads(event.payload).get("user", "(none)")


def must_have_happened(watch: Watch, events: Sequence[Event], until: float) -> dict[str, list[reading.Happened]]:
    """By group."""
    rule = watch.rule
    options = {"cooldown": rule.cooldown_seconds, "until": until}
    condition = rule.condition
    passing = [event for event in events if matches(watch.query, event)]
    if condition.kind == "new_value":
        seen = [(event, user) for event in passing if (user := orjson.loads(event.payload).get("user"))]
        numbers = reading.new_values([(at_of(event), user) for event, user in seen], seconds=condition.seconds)
        new = [at_of(seen[number][0]) for number in numbers if seen[number][0].seq > watch.start_seq]
        return {"": reading.every(new, **options)}
    by_group: dict[str, list[float]] = defaultdict(list)
    if not watch.group_by:
        by_group[""] = []
    for event in passing:
        if event.seq > watch.start_seq:
            by_group[group_of(watch, event)].append(at_of(event))
    wanted = {}
    for group, times in by_group.items():
        if condition.kind == "count":
            wanted[group] = reading.count(times, at_least=condition.at_least, seconds=condition.seconds, **options)
        elif condition.kind == "absence":
            # A group is known from its first event on.
            begins_at = times[0] if watch.group_by else watch.begins_at.timestamp()
            wanted[group] = reading.absence(times, begins_at=begins_at, seconds=condition.seconds, **options)
        else:
            wanted[group] = reading.every(times, **options)
    return wanted


def at_of(event: Event) -> float:
    return event.created_at.timestamp()


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("seed", range(8))
def test_what_fired_is_what_a_reading_of_the_whole_log_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small enough that steps are cut.
    monkeypatch.setattr(log_reader, "HAPPENINGS_LIMIT", 2)
    world = World(seed, monkeypatch)
    world.watch()
    for _ in range(ACTIONS):
        world.act()
    world.time.pass_seconds(world.random.choice([0, 20, 100]))
    world.next_commit = ""
    evaluate()
    events = list(Event.objects.exclude(event_type__startswith="watch.").order_by("seq"))
    happened: dict[tuple[int, str], list[reading.Happened]] = defaultdict(list)
    for event_type, payload in zip(types_written(), written(), strict=True):
        verb = event_type.removeprefix("watch.")
        happened[payload["watch_id"], payload["group"]].append((verb, seconds_of(payload["at"]), payload["count"]))
    wanted = {
        (watch.pk, group): found
        for watch in Watch.objects.all()
        for group, found in must_have_happened(watch, events, world.time.seconds).items()
        if found
    }
    assert dict(happened) == wanted
    fired = [payload["firing_id"] for payload in written("watch.fired")]
    assert sorted(fired) == sorted(str(pk) for pk in Firing.objects.values_list("pk", flat=True))
    assert log.head().last_seq == len(events) + sum(len(each) for each in happened.values())
