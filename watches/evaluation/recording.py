"""One step of evaluation is one transaction: how far the log was read, the state of watches, what fired, and notices.

The head of the log is locked first, then the reader's row: the order of every change of state with its event.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from events.log import Change, Cursor, change, timestamp
from ledger.writer import runs_last
from watches import notices, outbox
from watches.conditions.evaluator import Evaluator, Row
from watches.evaluation import firings
from watches.models import REASON_LENGTH, StateRow, Watch, WatchReader
from watches.stopping import Reason

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
            step.firings += firings.write(happenings, watches, changing, hold_seconds=step.hold_seconds)
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
        module=firings.MODULE,
        payload={"watch_id": watch.pk, "owner": watch.owner_id, "shared": watch.shared, "reason": because},
    )
    now = timestamp(changing.now)
    content = notices.of_outcome(
        watch=firings.described(watch),
        state="stopped",
        group="",
        at=now,
        count=0,
        link="",
        details={"reason": reason.text},
    )
    outbox.add(watch, content, now=changing.now)
