"""Many watches over one sequence of events: each gets those that pass its query, in groups, and time goes on. Pure.

The state of a watch is a dict of rows: `g` and a group for a machine, `v` and a value for a value that was seen. Only
rows that changed are taken from it, so a step writes what it changed and nothing else.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from events.log import Entry
from events.query import RecordView
from gateway.filters import Selection
from watches.conditions.dispatch import Dispatch
from watches.conditions.fields import values_of
from watches.conditions.machines import NEVER, Machine, machine_for
from watches.conditions.rules import NEW_VALUE, Outcome, Place, Rule

# Groups of one watch that are told apart at a time; further ones are one group together.
GROUPS_LIMIT = 200
# Of all groups of a count, so many events are remembered: with a large `at_least`, there may be fewer groups.
REMEMBERED_LIMIT = 20_000
OTHER_GROUP = "(other)"
# Of events that do not have the field.
NO_GROUP = "(none)"
# Values that a watch remembers; of more, those that were not seen for the longest time are new again.
VALUES_LIMIT = 10_000
# What the watches themselves write is no event for any watch, so no watch can lead to itself.
OWN_PREFIX = "watch."

# A row of state; None: there is none any more.
Row = dict[str, Any] | None


class Armed(NamedTuple):
    """A watch that is evaluated: events behind `start_seq` count, and time from `begins_at` on."""

    id: int
    rule: Rule
    selection: Selection
    start_seq: int
    begins_at: float


class Happening(NamedTuple):
    """What happened to one group of a watch."""

    watch_id: int
    group: str
    outcome: Outcome


class Run:
    """One watch with its groups."""

    def __init__(self, armed: Armed, rows: Mapping[str, dict[str, Any]]) -> None:
        self.armed = armed
        rule = armed.rule
        self._group_of = values_of(rule.group_by) if rule.group_by else None
        is_new_value = rule.condition.kind == NEW_VALUE
        self._values_of = values_of(rule.condition.field) if is_new_value else None
        self.groups_limit = max(1, min(GROUPS_LIMIT, REMEMBERED_LIMIT // rule.condition.at_least))
        self.machines = {key[1:]: self._new().read(row) for key, row in rows.items() if key[0] == "g"}
        seen = [(row["seq"], key[1:], row["at"]) for key, row in rows.items() if key[0] == "v"]
        # The one that was not seen for the longest time first.
        self.memory = OrderedDict((value, Place(seq, at)) for seq, value, at in sorted(seen))
        if not self._group_of and "" not in self.machines:
            # That nothing comes must be noticed before anything has come.
            self.machines[""] = self._new()
        self.changed: set[str] = set()
        # When which group may be idle, the earliest first; of each, one time that is not too late.
        self._idle_queue: list[tuple[float, str]] = []
        self._idle_queued: set[str] = set()
        for group in self.machines:
            self._enqueue_idle(group)
        # A group was put among the others since this was read.
        self.overflowed = False

    def match(self, entry: Entry, view: RecordView, at: float) -> tuple[str, list[Outcome]]:
        """An event that passes, at a time that `advance` has reached: its group, and what that leads to."""
        place = Place(entry.seq, at)
        values: tuple[str, ...] = ()
        if self._values_of is not None:
            values = self._new_values(place, self._values_of(view))
            if not values:
                return "", []
        if entry.seq <= self.armed.start_seq:
            return "", []
        group = self._group(view, at)
        self.changed.add(f"g{group}")
        outcomes = self.machines[group].match(place, values)
        self._enqueue_idle(group)
        return group, outcomes

    def take_rows(self) -> dict[str, Row]:
        """What changed since this was called last."""
        rows: dict[str, Row] = {key: self._row(key) for key in sorted(self.changed)}
        self.changed.clear()
        return rows

    def _row(self, key: str) -> Row:
        if key[0] == "v":
            place = self.memory.get(key[1:])
            return None if place is None else {"seq": place.seq, "at": place.at}
        machine = self.machines.get(key[1:])
        return None if machine is None else machine.as_json()

    def _new(self) -> Machine:
        return machine_for(self.armed.rule, begins_at=self.armed.begins_at)

    def _new_values(self, place: Place, values: Iterable[str]) -> tuple[str, ...]:
        new = []
        for value in sorted(values):
            before = self.memory.pop(value, None)
            self.memory[value] = place
            self.changed.add(f"v{value}")
            if before is None or before.at + self.armed.rule.condition.seconds <= place.at:
                new.append(value)
        while len(self.memory) > VALUES_LIMIT:
            oldest, _ = self.memory.popitem(last=False)
            self.changed.add(f"v{oldest}")
        return tuple(new)

    def _group(self, view: RecordView, now: float) -> str:
        if self._group_of is None:
            return ""
        group = next(iter(self._group_of(view)), NO_GROUP)
        if group in self.machines:
            return group
        if len(self.machines) >= self.groups_limit:
            self._forget_idle(now)
        if len(self.machines) >= self.groups_limit:
            self.overflowed = True
            group = OTHER_GROUP
        if group not in self.machines:
            self.machines[group] = self._new()
        return group

    def _forget_idle(self, now: float) -> None:
        """Costs what is idle, and not what there is: a watch with all its groups comes here with each event."""
        busy = []
        while self._idle_queue and self._idle_queue[0][0] <= now:
            _, group = heapq.heappop(self._idle_queue)
            self._idle_queued.discard(group)
            if self.machines[group].is_idle(now):
                del self.machines[group]
                self.changed.add(f"g{group}")
            else:
                busy.append(group)
        for group in busy:
            self._enqueue_idle(group)

    def _enqueue_idle(self, group: str) -> None:
        idle_at = self.machines[group].idle_at
        if self._group_of is not None and idle_at != NEVER and group not in self._idle_queued:
            self._idle_queued.add(group)
            heapq.heappush(self._idle_queue, (idle_at, group))


class Evaluator:
    """`now` is the time that was reached. Watches are told apart by their ids."""

    def __init__(self, runs: Iterable[Run], *, now: float = -math.inf) -> None:
        self.runs: dict[int, Run] = {}
        self.now = now
        self._happenings: list[Happening] = []
        self._dispatch = Dispatch[Run]()
        # When which group is due; of each, one time that is not too late.
        self._queue: list[tuple[float, int, str]] = []
        self._queued: dict[tuple[int, str], float] = {}
        for run in runs:
            self.add(run)

    def add(self, run: Run) -> None:
        """One more watch, of which there is none with this id."""
        self.runs[run.armed.id] = run
        self._dispatch.add(run.armed.selection, run)
        for group in run.machines:
            self._enqueue(run, group)

    def remove(self, watch_id: int) -> None:
        """Does nothing if there is none. What has happened to it stays."""
        run = self.runs.pop(watch_id, None)
        if run is not None:
            self._dispatch.remove(run.armed.selection, run)

    @property
    def due(self) -> float:
        """Not later than the next time at which something happens though no event comes."""
        return self._queue[0][0] if self._queue else NEVER

    @property
    def untaken(self) -> int:
        """How much has happened since `take`."""
        return len(self._happenings)

    def feed(self, entry: Entry) -> None:
        """The next event of the log."""
        self.advance(entry.created_at)
        if entry.event_type.startswith(OWN_PREFIX):
            return
        view = entry.view()
        for run in self._dispatch.passing(entry, view):
            group, outcomes = run.match(entry, view, self.now)
            self._note(run, group, outcomes)

    def advance(self, now: float) -> None:
        """All events up to this time were fed. Earlier times than one before count as that one."""
        self.now = max(self.now, now)
        while self._queue and self._queue[0][0] <= self.now:
            due, watch_id, group = heapq.heappop(self._queue)
            if self._queued.get((watch_id, group)) != due:
                continue
            del self._queued[watch_id, group]
            run = self.runs.get(watch_id)
            machine = None if run is None else run.machines.get(group)
            if run is None or machine is None:
                # The watch was removed since, or the group forgotten.
                continue
            # One time after the other: what happens to several watches is in the order of time.
            outcomes = machine.advance(due)
            if outcomes:
                run.changed.add(f"g{group}")
            self._note(run, group, outcomes)

    def take(self) -> list[Happening]:
        """What happened since this was called last, in order."""
        happenings, self._happenings = self._happenings, []
        return happenings

    def take_rows(self) -> dict[int, dict[str, Row]]:
        """The rows that changed since this was called last, by watch."""
        return {watch_id: rows for watch_id, run in self.runs.items() if run.changed and (rows := run.take_rows())}

    def take_overflowed(self) -> list[int]:
        """The watches that put a group among the others since this was called last."""
        overflowed = [run for run in self.runs.values() if run.overflowed]
        for run in overflowed:
            run.overflowed = False
        return [run.armed.id for run in overflowed]

    def _note(self, run: Run, group: str, outcomes: Iterable[Outcome]) -> None:
        self._happenings += [Happening(run.armed.id, group, outcome) for outcome in outcomes]
        if group in run.machines:
            self._enqueue(run, group)

    def _enqueue(self, run: Run, group: str) -> None:
        due, key = run.machines[group].due, (run.armed.id, group)
        if due < self._queued.get(key, NEVER):
            self._queued[key] = due
            heapq.heappush(self._queue, (due, *key))
