"""Changes of watches by people. Each is one transaction with its audit row, and no step of evaluation lies across it.

A change locks the head of the log, and then the reader's row: so a watch that is new, or waits for something else,
begins exactly at the end of the log.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from events import log
from events.log import Change, change
from gateway.models import REASON_LENGTH, TokenAudit
from ledger.writer import runs_last
from watches.conditions.rules import NEW_VALUE
from watches.definitions import Definition
from watches.evaluation import recording
from watches.models import StateRow, Target, Watch, WatchReader

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


@dataclasses.dataclass(frozen=True, slots=True)
class Creation:
    definition: Definition
    by: WatchActor


@dataclasses.dataclass(frozen=True, slots=True)
class Revision:
    """`definition` is the whole watch as it is to be."""

    watch_id: int
    definition: Definition
    by: WatchActor


@dataclasses.dataclass(frozen=True, slots=True)
class Muting:
    watch_id: int
    until: datetime | None
    by: WatchActor


@dataclasses.dataclass(frozen=True, slots=True)
class Deletion:
    watch_id: int
    by: WatchActor


@runs_last
def create_many(creations: Sequence[Creation]) -> Sequence[Watch | Exception]:
    return [_create(creation) for creation in creations]


@runs_last
def revise_many(revisions: Sequence[Revision]) -> Sequence[Watch | Exception]:
    """A watch that waits for something else begins anew; so does one that had stopped."""
    return [_revise(revision) for revision in revisions]


@runs_last
def mute_many(mutings: Sequence[Muting]) -> Sequence[Watch | Exception]:
    return [_mute(muting) for muting in mutings]


@runs_last
def delete_many(deletions: Sequence[Deletion]) -> Sequence[None | Exception]:
    return [_delete(deletion) for deletion in deletions]


def _create(creation: Creation) -> Watch | Exception:
    definition, by = creation.definition, creation.by
    with change() as changing:
        _lock_reader()
        if Watch.objects.count() >= WATCHES_LIMIT:
            return TooManyWatches(f"at most {WATCHES_LIMIT} watches")
        if Watch.objects.filter(owner_id=by.principal_id).count() >= WATCHES_LIMIT_EACH:
            return TooManyWatches(f"at most {WATCHES_LIMIT_EACH} watches of one owner")
        targets = _targets(definition)
        if isinstance(targets, Exception):
            return targets
        watch = Watch(owner_id=by.principal_id, owner_name=by.name, created_at=changing.now)
        _fill(watch, definition)
        _begin(changing, watch)
        watch.save(force_insert=True)
        watch.targets.set(targets)
        _audit("added", watch, by)
        return watch


def _revise(revision: Revision) -> Watch | Exception:
    definition, by = revision.definition, revision.by
    with change() as changing:
        _lock_reader()
        watch = _own(revision.watch_id, by)
        if isinstance(watch, Exception):
            return watch
        targets = _targets(definition)
        if isinstance(targets, Exception):
            return targets
        before, was_stopped = Definition.of(watch), bool(watch.stopped_because)
        if was_stopped and by.is_administrator:
            # The owner may have lost its rights for good.
            watch.owner_id, watch.owner_name = by.principal_id, by.name
        _fill(watch, definition)
        if was_stopped or before.waits_for != definition.waits_for:
            recording.end_firings(changing, watch, because="the watch was changed")
            StateRow.objects.filter(watch=watch).delete()
            _begin(changing, watch)
            watch.revision += 1
        watch.save()
        watch.targets.set(targets)
        _audit("changed", watch, by)
        return watch


def _mute(muting: Muting) -> Watch | Exception:
    with change():
        _lock_reader()
        watch = Watch.objects.filter(pk=muting.watch_id).first()
        if watch is None:
            return NoSuchWatch()
        watch.muted_until = muting.until
        watch.save(update_fields=["muted_until"])
        _audit(f"muted until {muting.until:%Y-%m-%d %H:%M:%S}" if muting.until else "unmuted", watch, muting.by)
        return watch


def _delete(deletion: Deletion) -> None | Exception:
    with change() as changing:
        _lock_reader()
        watch = _own(deletion.watch_id, deletion.by)
        if isinstance(watch, Exception):
            return watch
        recording.end_firings(changing, watch, because="the watch was deleted")
        _audit("deleted", watch, deletion.by)
        watch.delete()
        return None


def _lock_reader() -> None:
    """What was evaluated by older definitions is not committed any more."""
    WatchReader.objects.update(definitions=F("definitions") + 1)


def _own(watch_id: int, by: WatchActor) -> Watch | Exception:
    watch = Watch.objects.filter(pk=watch_id).first()
    if watch is None:
        return NoSuchWatch()
    return watch if by.is_administrator or watch.owner_id == by.principal_id else NotTheOwner()


def _targets(definition: Definition) -> list[Target] | Exception:
    targets = list(Target.objects.filter(name__in=definition.notify))
    unknown = sorted(set(definition.notify) - {target.name for target in targets})
    return UnknownTargets(unknown) if unknown else targets


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


def _audit(verb: str, watch: Watch, by: WatchActor) -> None:
    TokenAudit(
        action=TokenAudit.Action.ADMIN_CHANGED,
        actor=by.name,
        principal_id=by.principal_id,
        principal_name=by.name,
        reason=f"{verb} watch {watch}"[:REASON_LENGTH],
        address=by.address,
        correlation_id=by.correlation_id,
    ).save()
