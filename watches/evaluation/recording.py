"""One step of evaluation is one transaction: how far the log was read, the state of watches, what fired, and notices.

The head of the log is locked first, then the reader's row: the order of every change of state with its event.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from events.log import Change, Cursor, change, timestamp
from ledger.writer import runs_last
from watches import notices, outbox
from watches.conditions.evaluator import Evaluator, Happening, Row
from watches.conditions.rules import STATES, Fired, Place, Resolved
from watches.models import REASON_LENGTH, Firing, StateRow, Watch, WatchReader
from watches.stopping import Reason

MODULE = "tentaculo_link"
ROWS_AT_A_TIME = 500


class Moved(Exception):
    """Another process evaluates, or a watch was changed: nothing of this step was kept. Read everything again."""


@dataclasses.dataclass(slots=True)
class Step:
    """`before` and `definitions` are what the row must still hold; `after` is where the log was read up to.

    `tick`: what is due at the time of the commit happens, too, if no event has come behind `after`. `hold_seconds`:
    how long notices wait for others, because many events are still to be read.
    """

    holder: str
    before: Cursor
    definitions: int
    after: Cursor
    evaluator: Evaluator
    tick: bool = False
    hold_seconds: float = 0.0
    # Of a watch that learns: up to where it has; None when it is where all others are.
    learner: int | None = None
    learned_seq: int | None = None
    firings: int = 0


def record(step: Step, watches: dict[int, Watch]) -> None:
    """Raises Moved; what the evaluator holds is not what is stored then."""
    happenings = step.evaluator.take()
    if happenings or step.tick:
        _record_many([(step, watches, happenings)])
        return
    with transaction.atomic(durable=True):
        _move(step)
        _write_state(step.evaluator)


@runs_last
def _record_many(units: list[Any]) -> Sequence[None]:
    for step, watches, happenings in units:
        with transaction.atomic(durable=True), change() as changing:
            if step.tick and changing.before == step.after:
                step.evaluator.advance(changing.now.timestamp())
                happenings += step.evaluator.take()
            _move(step)
            _write_state(step.evaluator)
            _Writing(step, watches, changing).write(happenings)
    return [None] * len(units)


def _move(step: Step) -> None:
    """The reader's row, locked: only who holds it moves it, and only from where this step began."""
    row = WatchReader.objects.select_for_update().get(pk=1)
    if (row.holder, row.epoch, row.seq, row.definitions) != (step.holder, *step.before, step.definitions):
        raise Moved
    if step.learner is not None:
        Watch.objects.filter(pk=step.learner).update(learned_seq=step.learned_seq)
        return
    row.epoch, row.seq, row.time = step.after.epoch, step.after.seq, max(row.time, step.evaluator.now)
    row.save(update_fields=["epoch", "seq", "time"])


def _write_state(evaluator: Evaluator) -> None:
    """What has changed, and which watches had more groups than are told apart."""
    _write_rows(evaluator.take_rows())
    overflowed = [run for run in evaluator.runs.values() if run.overflowed]
    if overflowed:
        Watch.objects.filter(pk__in=[run.armed.id for run in overflowed]).update(groups_full_at=Now())
    for run in overflowed:
        run.overflowed = False


def _write_rows(changed: dict[int, dict[str, Row]]) -> None:
    rows = [
        StateRow(watch_id=watch_id, key=key, state=row)
        for watch_id, states in changed.items()
        for key, row in states.items()
        if row is not None
    ]
    StateRow.objects.bulk_create(
        rows,
        batch_size=ROWS_AT_A_TIME,
        update_conflicts=True,
        unique_fields=["watch", "key"],
        update_fields=["state"],
    )
    for watch_id, states in changed.items():
        gone = [key for key, row in states.items() if row is None]
        for begin in range(0, len(gone), ROWS_AT_A_TIME):
            StateRow.objects.filter(watch=watch_id, key__in=gone[begin : begin + ROWS_AT_A_TIME]).delete()


class _Writing:
    """What happened, as rows and events of one change."""

    def __init__(self, step: Step, watches: dict[int, Watch], changing: Change) -> None:
        self._step, self._watches, self._changing = step, watches, changing
        # Those of this step, and those that were open before it and were looked for.
        self._open: dict[tuple[int, str], Firing | None] = {}

    def write(self, happenings: Iterable[Happening]) -> None:
        for happening in happenings:
            watch, outcome = self._watches[happening.watch_id], happening.outcome
            if isinstance(outcome, Fired):
                self._fire(watch, happening.group, outcome)
            else:
                self._resolve(watch, happening.group, outcome)

    def _fire(self, watch: Watch, group: str, fired: Fired) -> None:
        firing = Firing(
            watch=watch,
            group=group,
            fired_at=moment(fired.at),
            count=fired.events,
            first=self._cursor(fired.first),
            last=self._cursor(fired.last),
            values=list(fired.values),
            cursor=str(self._next_cursor()),
            muted=watch.muted_until is not None and watch.muted_until > self._changing.now,
        )
        firing.save(force_insert=True)
        self._open[watch.pk, group] = firing
        self._step.firings += 1
        self._publish("watch.fired", watch, firing, fired)
        self._notify("fired", watch, group, firing, fired)

    def _resolve(self, watch: Watch, group: str, resolved: Resolved) -> None:
        firing = self._open.pop((watch.pk, group), None) or self._stored(watch, group)
        if firing is None:
            # It was purged meanwhile: it was older than everything that is kept.
            return
        firing.resolved_at, firing.count = moment(resolved.at), max(firing.count, resolved.events)
        firing.last = self._cursor(resolved.last) or firing.last
        firing.save(update_fields=["resolved_at", "count", "last"])
        self._publish("watch.resolved", watch, firing, resolved)
        self._notify("resolved", watch, group, firing, resolved)

    def _stored(self, watch: Watch, group: str) -> Firing | None:
        return Firing.objects.filter(watch=watch, group=group, resolved_at=None).order_by("-fired_at").first()

    def _publish(self, event_type: str, watch: Watch, firing: Firing, outcome: Fired | Resolved) -> None:
        """All who may read events of MODULE see this one, also those who may not see the owner's modules. So it says
        nothing of what the watch is about: `watches/fired` does, to those who may see it."""
        name = f"watch {watch.pk} of {watch.owner_name or watch.owner_id}"
        verb = event_type.removeprefix("watch.")
        counted = f": {outcome.events} event{'s' if outcome.events != 1 else ''}" if outcome.events else ""
        self._changing.publish(
            event_type,
            f"{name} {verb}{counted}",
            module=MODULE,
            payload={
                "watch_id": watch.pk,
                "firing_id": str(firing.pk),
                "owner": watch.owner_id,
                "shared": watch.shared,
                "condition": watch.condition["kind"],
                "at": timestamp(moment(outcome.at)),
                "count": outcome.events,
                "first": firing.first or None,
                "last": firing.last or None,
                "link": self._link("", outcome),
            },
        )

    def _notify(self, state: str, watch: Watch, group: str, firing: Firing, outcome: Fired | Resolved) -> None:
        content = notices.of_outcome(
            watch=described(watch),
            state=state,
            group=group,
            at=timestamp(moment(outcome.at)),
            count=outcome.events,
            link=self._link(watch.query, outcome),
            details={
                "firing_id": str(firing.pk),
                "first": firing.first or None,
                "last": firing.last or None,
                "fired_at": timestamp(firing.fired_at),
                "values": firing.values if state == "fired" else [],
            },
        )
        outbox.add(watch, content, now=self._changing.now, hold_seconds=self._step.hold_seconds)

    def _link(self, query: str, outcome: Fired | Resolved) -> str:
        """To the console, at the moment of the last event that counted."""
        at = outcome.last.at if outcome.last else outcome.at
        return notices.link_to(settings.PUBLIC_URL, query, timestamp(moment(at)))

    def _next_cursor(self) -> Cursor:
        """Of the event that is published next."""
        before = self._changing.before
        return before._replace(seq=before.seq + len(self._changing.events) + 1)

    def _cursor(self, place: Place | None) -> str:
        return "" if place is None else str(Cursor(self._changing.before.epoch, place.seq))


def end_firings(changing: Change, watch: Watch, *, because: str) -> None:
    """What fired and did not end has no end of its own any more: the watch is changed or deleted."""
    for firing in Firing.objects.filter(watch=watch, resolved_at=None).order_by("fired_at"):
        if watch.rule.condition.kind not in STATES:
            break
        firing.resolved_at = changing.now
        firing.save(update_fields=["resolved_at"])
        payload = {"watch_id": watch.pk, "firing_id": str(firing.pk), "owner": watch.owner_id, "shared": watch.shared}
        changing.publish(
            "watch.resolved",
            f"watch {watch.pk} resolved: {because}",
            module=MODULE,
            payload={**payload, "at": timestamp(changing.now), "reason": because},
        )
        details = {"firing_id": str(firing.pk), "fired_at": timestamp(firing.fired_at), "reason": because}
        content = notices.of_outcome(
            watch=described(watch),
            state="resolved",
            group=firing.group,
            at=timestamp(changing.now),
            count=firing.count,
            link="",
            details=details,
        )
        outbox.add(watch, content, now=changing.now)


@runs_last
def stop_many(stops: Sequence[tuple[Watch, Reason]]) -> Sequence[None]:
    """Stop watches, and say so by an event and to their targets. Those that were changed meanwhile go on."""
    with change() as changing:
        reader = WatchReader.objects.select_for_update().get(pk=1)
        for watch, reason in stops:
            _stop(changing, watch, reason)
        raise_definitions(reader)
    return [None] * len(stops)


def raise_definitions(reader: WatchReader) -> int:
    """What was evaluated by older definitions is not committed any more. The row is locked by the caller."""
    reader.definitions += 1
    reader.save(update_fields=["definitions"])
    return reader.definitions


def _stop(changing: Change, watch: Watch, reason: Reason) -> None:
    going = Watch.objects.filter(pk=watch.pk, revision=watch.revision, stopped_because="")
    if not going.update(stopped_because=reason.text[:REASON_LENGTH], stopped_at=changing.now):
        return
    because = reason.of_event
    changing.publish(
        "watch.stopped",
        f"watch {watch.pk} has stopped: {because}",
        module=MODULE,
        payload={"watch_id": watch.pk, "owner": watch.owner_id, "shared": watch.shared, "reason": because},
    )
    now = timestamp(changing.now)
    content = notices.of_outcome(
        watch=described(watch), state="stopped", group="", at=now, count=0, link="", details={"reason": reason.text}
    )
    outbox.add(watch, content, now=changing.now)


def described(watch: Watch) -> dict[str, Any]:
    """Of a watch, what a notice says."""
    return {"id": watch.pk, "name": watch.name, "query": watch.query, "condition": watch.rule.condition.describe()}


def moment(seconds: float) -> datetime:
    """Of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
