"""Changes of watches by people. Each is one transaction with its audit row, and no step of evaluation lies across it.

A change locks the head of the log, and then the reader's row: so a watch that is new, or waits for something else,
begins exactly at the end of the log, and what a change is based on is read in the transaction that writes it. A change
that is written twice, because the result of a commit was lost, has the same id, and gets the result of the first time.
"""

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from events import log
from events.log import Change, change
from gateway.http.errors import ApiError
from gateway.models import REASON_LENGTH, TokenAudit
from ledger.writer import runs_last
from watches import definitions
from watches.conditions.rules import NEW_VALUE
from watches.definitions import Definition
from watches.evaluation import firings, recording
from watches.models import StateRow, Target, Watch, WatchReader

Unit = TypeVar("Unit", bound="_Unit")
Result = TypeVar("Result")

# Of an installation, and of one owner: what one process evaluates beside its other work.
WATCHES_LIMIT = 1_000
WATCHES_LIMIT_EACH = 200


@dataclasses.dataclass(frozen=True, slots=True)
class WatchActor:
    """Who changes a watch. `is_administrator`: may change those of others."""

    principal_id: str
    name: str
    address: str = ""
    correlation_id: str = ""
    is_administrator: bool = False


class NoSuchWatch(Exception):
    """There is none with this id that the caller may change."""


class NotTheOwner(Exception):
    """The caller may see it, and not change it."""


class TooManyWatches(Exception):
    """The text says which limit."""


class UnknownTargets(Exception):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """One change, which is written once however often it is tried: its audit row has this id."""

    change_id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True)
class Creation(_Unit):
    definition: Definition
    by: WatchActor


@dataclasses.dataclass(frozen=True, slots=True)
class Revision(_Unit):
    """`fields` are those of the API's body that are to change. They are checked with the others, when it is written."""

    watch_id: int
    fields: Mapping[str, Any]
    by: WatchActor


@dataclasses.dataclass(frozen=True, slots=True)
class Muting(_Unit):
    watch_id: int
    until: datetime | None
    by: WatchActor


@dataclasses.dataclass(frozen=True, slots=True)
class Deletion(_Unit):
    watch_id: int
    by: WatchActor


@runs_last
def create_many(creations: Sequence[Creation]) -> Sequence[Watch | Exception]:
    return [_once(creation, _create, _created) for creation in creations]


@runs_last
def revise_many(revisions: Sequence[Revision]) -> Sequence[Watch | Exception]:
    """A watch that waits for something else begins anew; so does one that had stopped."""
    return [_once(revision, _revise, _still) for revision in revisions]


@runs_last
def mute_many(mutings: Sequence[Muting]) -> Sequence[Watch | Exception]:
    return [_once(muting, _mute, _still) for muting in mutings]


@runs_last
def delete_many(deletions: Sequence[Deletion]) -> Sequence[None | Exception]:
    return [_once(deletion, _delete, lambda _deletion: None) for deletion in deletions]


def _once(
    unit: Unit,
    write: Callable[[Change, WatchReader, Unit], Result],
    written: Callable[[Unit], Result],
) -> Result | Exception:
    """The result, or the refusal as a value: an exception would undo the other units of the commit."""
    try:
        with change() as changing:
            if TokenAudit.objects.filter(pk=unit.change_id).exists():
                return written(unit)
            return write(changing, WatchReader.objects.select_for_update().get(pk=1), unit)
    except (NoSuchWatch, NotTheOwner, TooManyWatches, UnknownTargets, ApiError) as refusal:
        return refusal


def _create(changing: Change, reader: WatchReader, creation: Creation) -> Watch:
    definition, by = creation.definition, creation.by
    if Watch.objects.count() >= WATCHES_LIMIT:
        raise TooManyWatches(f"at most {WATCHES_LIMIT} watches")
    _refuse_too_many_of(by)
    watch = Watch(owner_id=by.principal_id, owner_name=by.name, created_at=changing.now, creation_id=creation.change_id)
    targets = _targets(definition)
    _fill(watch, definition)
    _begin(changing, watch)
    _save(reader, watch)
    watch.targets.set(targets)
    _audit("added", watch, creation)
    return watch


def _revise(changing: Change, reader: WatchReader, revision: Revision) -> Watch:
    by, watch = revision.by, _own(revision.watch_id, revision.by)
    before, was_stopped = Definition.of(watch), bool(watch.stopped_because)
    definition = definitions.read({**before.as_json(), **revision.fields})
    targets = _targets(definition)
    if was_stopped and by.is_administrator and watch.owner_id != by.principal_id:
        # The owner may have lost its rights for good.
        _refuse_too_many_of(by)
        watch.owner_id, watch.owner_name = by.principal_id, by.name
    _fill(watch, definition)
    if was_stopped or before.waits_for != definition.waits_for:
        firings.end_firings(changing, watch, because="the watch was changed")
        StateRow.objects.filter(watch=watch).delete()
        _begin(changing, watch)
        watch.revision += 1
    _save(reader, watch)
    watch.targets.set(targets)
    _audit("changed", watch, revision)
    return watch


def _mute(_changing: Change, reader: WatchReader, muting: Muting) -> Watch:
    watch, by = _still(muting), muting.by
    if not (watch.shared or _is_own(watch, by)):
        # It was shared when the caller saw it.
        raise NoSuchWatch
    watch.muted_until = muting.until
    _save(reader, watch)
    _audit(f"muted until {muting.until:%Y-%m-%d %H:%M:%S}" if muting.until else "unmuted", watch, muting)
    return watch


def _delete(changing: Change, reader: WatchReader, deletion: Deletion) -> None:
    watch = _own(deletion.watch_id, deletion.by)
    firings.end_firings(changing, watch, because="the watch was deleted")
    _audit("deleted", watch, deletion)
    watch.delete()
    recording.raise_definitions(reader)


def _save(reader: WatchReader, watch: Watch) -> None:
    watch.changed = recording.raise_definitions(reader)
    watch.save()


def _created(creation: Creation) -> Watch:
    watch = Watch.objects.filter(creation_id=creation.change_id).first()
    if watch is None:
        raise NoSuchWatch
    return watch


def _still(unit: Revision | Muting) -> Watch:
    """As it is in this transaction. Raises NoSuchWatch."""
    watch = Watch.objects.filter(pk=unit.watch_id).first()
    if watch is None:
        raise NoSuchWatch
    return watch


def _own(watch_id: int, by: WatchActor) -> Watch:
    """Raises NoSuchWatch, NotTheOwner."""
    watch = Watch.objects.filter(pk=watch_id).first()
    if watch is None:
        raise NoSuchWatch
    if not _is_own(watch, by):
        raise NotTheOwner
    return watch


def _is_own(watch: Watch, by: WatchActor) -> bool:
    return by.is_administrator or watch.owner_id == by.principal_id


def _refuse_too_many_of(owner: WatchActor) -> None:
    if Watch.objects.filter(owner_id=owner.principal_id).count() >= WATCHES_LIMIT_EACH:
        raise TooManyWatches(f"at most {WATCHES_LIMIT_EACH} watches of one owner")


def _targets(definition: Definition) -> list[Target]:
    """Raises UnknownTargets."""
    targets = list(Target.objects.filter(name__in=definition.notify))
    unknown = sorted(set(definition.notify) - {target.name for target in targets})
    if unknown:
        raise UnknownTargets(unknown)
    return targets


def _fill(watch: Watch, definition: Definition) -> None:
    watch.name, watch.query, watch.shared = definition.name, definition.query, definition.shared
    watch.condition, watch.group_by = definition.condition.as_json(), definition.group_by
    watch.cooldown_seconds, watch.quiet = definition.cooldown_seconds, _json(definition.quiet)
    watch.muted_until = definition.muted_until


def _json(quiet: Mapping[str, str] | None) -> dict[str, Any] | None:
    return None if quiet is None else dict(quiet)


def _begin(changing: Change, watch: Watch) -> None:
    """At the end of the log; one that looks for new values reads the days before, for what was there."""
    watch.start_seq, watch.begins_at = changing.before.seq, changing.now
    watch.stopped_because, watch.stopped_at, watch.groups_full_at = "", None, None
    condition = watch.rule.condition
    watch.learned_seq = None
    if condition.kind == NEW_VALUE:
        since = datetime.fromtimestamp(changing.now.timestamp() - condition.seconds, changing.now.tzinfo)
        watch.learned_seq = log.cursor_at(since).seq


def _audit(verb: str, watch: Watch, unit: Creation | Revision | Muting | Deletion) -> None:
    audit(unit.by, unit.change_id, f"{verb} watch {watch}")


def audit(by: WatchActor, change_id: uuid.UUID, what: str) -> None:
    """Note the change, in its transaction."""
    TokenAudit(
        id=change_id,
        action=TokenAudit.Action.ADMIN_CHANGED,
        actor=by.name,
        principal_id=by.principal_id,
        principal_name=by.name,
        reason=what[:REASON_LENGTH],
        address=by.address,
        correlation_id=by.correlation_id,
    ).save()
