"""What the process that evaluates holds in memory of watches: read once, and after that what has changed.

In memory is what is stored, between two steps. So a watch that was changed is read again by itself; all are read again
only after an error, and by a process that takes over.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping

from events.log import Cursor
from gateway.identity.principals import Snapshot
from watches import rights
from watches.conditions.evaluator import Armed, Evaluator, Run
from watches.models import StateRow, Watch, WatchReader
from watches.stopping import Reason, reason_to_stop

Rows = dict[str, dict[str, object]]


@dataclasses.dataclass(slots=True)
class Loaded:
    """`watches` are all that have not stopped. Of those, `learning` ones are not evaluated yet."""

    cursor: Cursor
    definitions: int
    evaluator: Evaluator
    watches: dict[int, Watch] = dataclasses.field(default_factory=dict)
    learning: dict[int, Watch] = dataclasses.field(default_factory=dict)
    # Watches that were taken in with a query or a field that is not valid any more.
    invalid: dict[int, Watch] = dataclasses.field(default_factory=dict)
    # Watches that were read since they were last kept out of full collections.
    unkept: int = 0

    def take_in(self, watches: Iterable[Watch], snapshot: Snapshot) -> None:
        """Evaluate these from what is stored of them, in place of what was held."""
        watches = list(watches)
        states = _states([watch.pk for watch in watches])
        self.unkept += len(watches)
        for watch in watches:
            self.drop(watch.pk)
            self.watches[watch.pk] = watch
            if watch.learned_seq is not None:
                self.learning[watch.pk] = watch
            if reason_to_stop(watch, snapshot) is not None:
                self.invalid[watch.pk] = watch
            elif watch.learned_seq is None:
                self.evaluator.add(Run(armed(watch, snapshot), states[watch.pk]))

    def drop(self, watch_id: int) -> None:
        self.evaluator.remove(watch_id)
        for held in (self.watches, self.learning, self.invalid):
            held.pop(watch_id, None)

    def catch_up(self, row: WatchReader, snapshot: Snapshot) -> None:
        """Read what people have changed up to this row, which holds the cursor of this."""
        # Of a watch that is changed after the row was read, nothing is committed: its number is compared then.
        there = dict(Watch.objects.filter(stopped_because="").values_list("pk", "changed"))
        for watch_id in [watch_id for watch_id in self.watches if watch_id not in there]:
            self.drop(watch_id)
        changed = [
            watch_id
            for watch_id, number in there.items()
            if watch_id not in self.watches or self.watches[watch_id].changed != number
        ]
        self.take_in(Watch.objects.filter(pk__in=changed), snapshot)
        self.definitions = row.definitions

    def follow_rights(self, snapshot: Snapshot) -> None:
        """Read again those of owners that may see something else than before."""
        runs = self.evaluator.runs
        self.take_in(
            [
                watch
                for watch in self.watches.values()
                if reason_to_stop(watch, snapshot) is None
                and watch.pk not in self.learning
                and (watch.pk not in runs or armed(watch, snapshot).selection != runs[watch.pk].armed.selection)
            ],
            snapshot,
        )

    def stops(self, snapshot: Snapshot) -> list[tuple[Watch, Reason]]:
        """Those that cannot be evaluated any more. What is asked at each step is asked once for each owner."""
        owners = {watch.owner_id for watch in self.watches.values()}
        lost = {owner_id for owner_id in owners if not rights.has_watches(snapshot, owner_id)}
        suspect = [watch for watch in self.watches.values() if watch.owner_id in lost or watch.pk in self.invalid]
        found = [(watch, reason_to_stop(watch, snapshot)) for watch in suspect]
        return [(watch, reason) for watch, reason in found if reason is not None]


def armed(watch: Watch, snapshot: Snapshot) -> Armed:
    selection = rights.selection_of(snapshot, watch.owner_id, watch.query)
    return Armed(watch.pk, watch.rule, selection, watch.start_seq, watch.begins_at.timestamp())


def _states(watch_ids: list[int]) -> Mapping[int, Rows]:
    states: dict[int, Rows] = defaultdict(dict)
    for state in StateRow.objects.filter(watch__in=watch_ids):
        states[state.watch_id][state.key] = state.state
    return states
