"""One step of evaluation is one transaction: how far the log was read, the state of watches, what fired, and notices.

The head of the log is locked first, then the reader's row: the order of every change of state with its event. The
server has a step written by the ledger's writer, so that it shares the commit of what is published meanwhile. In a
transaction of its own it would hold the one lock of SQLite, for which publishers would sleep.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models.functions import Now

from events.log import Change, Cursor, change, timestamp
from ledger.units import WriteMany
from ledger.writer import runs_last
from watches import metrics, notices, outbox
from watches.conditions.evaluator import Evaluator, Happening, Row
from watches.evaluation import firings
from watches.models import REASON_LENGTH, StateRow, Watch, WatchReader
from watches.stopping import Reason

ROWS_AT_A_TIME = 500

# Django's bulk_create prepares every cell by itself, which took longer than the database, while publishers wait. Names
# of our own, and no values: there is nothing in them to inject.
_WRITE = (
    f'INSERT INTO "{StateRow._meta.db_table}" ("watch_id", "key", "state") VALUES {{}} '  # noqa: S608 - as said
    'ON CONFLICT ("watch_id", "key") DO UPDATE SET "state" = excluded."state"'
)

# A step with more rows of state has a transaction of its own: what is published is not to wait for it in one commit.
SHARED_ROWS_LIMIT = 500

# Writes one unit with a function for the ledger's writer, and returns or raises what came of it.
Commit = Callable[[WriteMany, Any], Any]


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
    # Taken from the evaluator. They stay here, for a transaction that fails is tried once more.
    happenings: list[Happening] = dataclasses.field(default_factory=list)
    rows: dict[int, dict[str, Row]] = dataclasses.field(default_factory=dict)
    overflowed: list[int] = dataclasses.field(default_factory=list)

    def take(self) -> None:
        """What happened, and the state that changed, since this was called last."""
        self.happenings += self.evaluator.take()
        for watch_id, rows in self.evaluator.take_rows().items():
            self.rows.setdefault(watch_id, {}).update(rows)
        self.overflowed += self.evaluator.take_overflowed()


def alone(function: WriteMany, unit: Any) -> Any:
    """In a transaction of its own, in this thread."""
    with transaction.atomic(durable=True):
        outcome = function([unit])[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def record(step: Step, watches: dict[int, Watch], commit: Commit = alone) -> None:
    """Raises Moved, and what `commit` raises; what the evaluator holds is not what is stored then."""
    # All that can be done before: while it is written, publishers wait.
    step.take()
    if sum(map(len, step.rows.values())) > SHARED_ROWS_LIMIT:
        commit = alone
        if not step.happenings and not step.tick:
            commit(_move_on_many, step)
            return
    untried = outbox.Untried({happening.watch_id for happening in step.happenings})
    step.firings = commit(_record_many, (step, watches, untried))


def _move_on_many(steps: list[Step]) -> Sequence[Moved | None]:
    """Steps in which nothing fired, each in a transaction of its own: the head of the log is not locked for them."""
    moved = [_moved(step) for step in steps]
    for step in (step for step, refused in zip(steps, moved, strict=True) if refused is None):
        _write_state(step)
    return moved


@runs_last
def _record_many(units: list[Any]) -> Sequence[int | Exception]:
    return [_record(*unit) for unit in units]


def _record(step: Step, watches: dict[int, Watch], untried: outbox.Untried) -> int | Exception:
    """How many fired. Moved is a value: as an exception it would undo the other units of the commit."""
    with metrics.WRITE_SECONDS.time(), change() as changing:
        if step.tick and changing.before == step.after:
            step.evaluator.advance(changing.now.timestamp())
            step.take()
        if (moved := _moved(step)) is not None:
            return moved
        _write_state(step)
        return firings.write(step.happenings, watches, changing, untried, hold_seconds=step.hold_seconds)


def _moved(step: Step) -> Moved | None:
    """Only who holds the reader's row moves it, and only from where this step began; Moved if that is not so."""
    held = WatchReader.objects.filter(
        pk=1, holder=step.holder, epoch=step.before.epoch, seq=step.before.seq, definitions=step.definitions
    )
    # Time never goes backwards: an evaluator begins at the stored one. One that learns has a time of its own.
    time = {} if step.learner is not None else {"time": step.evaluator.now}
    if not held.update(epoch=step.after.epoch, seq=step.after.seq, **time):
        return Moved()
    if step.learner is not None:
        Watch.objects.filter(pk=step.learner).update(learned_seq=step.learned_seq)
    return None


def _write_state(step: Step) -> None:
    """What has changed, and which watches had more groups than are told apart."""
    _write_rows(step.rows)
    if step.overflowed:
        Watch.objects.filter(pk__in=step.overflowed).update(groups_full_at=Now())


def _write_rows(changed: dict[int, dict[str, Row]]) -> None:
    rows = [
        (watch_id, key, orjson.dumps(row).decode())
        for watch_id, states in changed.items()
        for key, row in states.items()
        if row is not None
    ]
    with connection.cursor() as cursor:
        for begin in range(0, len(rows), ROWS_AT_A_TIME):
            here = rows[begin : begin + ROWS_AT_A_TIME]
            cursor.execute(_WRITE.format(", ".join(["(%s, %s, %s)"] * len(here))), list(itertools.chain(*here)))
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
