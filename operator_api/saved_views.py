"""Saved views: what an operator asked for, under a name, for the owner alone or shared with all who read events.

Functions named `..._many` are for the ledger's writer. They lock the head of the log, as all changes of people do, so
that changes of all processes come one after the other and the limits hold. A request that is written twice, because the
result of a commit was lost, has the same ids, and gets the result of the first time.
"""

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict
from urllib.parse import urlencode

from django.db.models import Q

from events.log import Change, change, timestamp
from gateway.models import REASON_LENGTH, TokenAudit
from ledger.writer import runs_last
from operator_api.models import SavedView, StartView

# A person keeps a few; a list of more than these would need a search of its own.
OWN_LIMIT = 100
# Of the whole installation: everybody's list holds all of them.
SHARED_LIMIT = 200
# The scope for sharing. Callers who may read events have views of their own without it.
SHARE = "views:share"


# A view as one caller sees it. Two of its names are words of Python, so it is no class.
View = TypedDict(
    "View",
    {
        "id": str,
        "name": str,
        "query": str,
        "from": str,
        "to": str,
        "columns": str,
        "facets": str,
        "shared": bool,
        "start": bool,
        "mine": bool,
        "owner": str,
        "created_at": str,
        "updated_at": str,
    },
)


class NoSuchView(Exception):
    """There is none of this id, or the caller does not see it."""


class NotAllowed(Exception):
    """The view is another principal's, or the caller may not share."""


class NameTaken(Exception):
    """Another view of this owner has the name."""


class TooMany(Exception):
    """There are as many views as there may be: of one owner, or shared ones of all."""


@dataclasses.dataclass(frozen=True, slots=True)
class ViewActor:
    """Who requests a change, and in which request."""

    principal_id: str
    name: str
    may_share: bool
    address: str
    correlation_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class ViewChange:
    """`view_id` of a view to change; a new id to save one. `fields` are those to set, by their names in the table.

    `start`: whether this caller's console begins with it; None: as before.
    """

    view_id: uuid.UUID
    fields: Mapping[str, Any]
    by: ViewActor
    start: bool | None = None
    is_new: bool = False
    audit_id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True)
class Removal:
    view_id: uuid.UUID
    by: ViewActor
    audit_id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


def visible_to(principal_id: str) -> list[View]:
    """Own and shared views by name, own ones first. Reads the database."""
    rows = list(SavedView.objects.filter(Q(owner_id=principal_id) | Q(shared=True))[: OWN_LIMIT + SHARED_LIMIT])
    start_id = StartView.objects.filter(pk=principal_id).values_list("view_id", flat=True).first()
    rows.sort(key=lambda row: (row.owner_id != principal_id, row.name.casefold()))
    return [as_json(row, principal_id, start_id) for row in rows]


def one_visible_to(principal_id: str, view_id: uuid.UUID) -> View | None:
    """Reads the database."""
    row = _visible(view_id, principal_id)
    start_id = StartView.objects.filter(pk=principal_id).values_list("view_id", flat=True).first()
    return None if row is None else as_json(row, principal_id, start_id)


def start_address_of(principal_id: str) -> str:
    """The query of the console's address with which this principal begins; "" without one. Reads the database."""
    start = StartView.objects.filter(pk=principal_id).select_related("view").first()
    if start is None or not (start.view.shared or start.view.owner_id == principal_id):
        return ""
    view = start.view
    parts = {
        "q": view.query,
        "from": view.time_from,
        "to": view.time_to,
        "columns": view.columns,
        "facets": view.facets,
    }
    return urlencode({name: value for name, value in parts.items() if value})


def as_json(row: SavedView, principal_id: str, start_id: uuid.UUID | None) -> View:
    return {
        "id": str(row.id),
        "name": row.name,
        "query": row.query,
        "from": row.time_from,
        "to": row.time_to,
        "columns": row.columns,
        "facets": row.facets,
        "shared": row.shared,
        "start": row.id == start_id,
        "mine": row.owner_id == principal_id,
        "owner": row.owner_name,
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
    }


@runs_last
def change_many(changes: Sequence[ViewChange]) -> Sequence[View | NoSuchView | NotAllowed | NameTaken | TooMany]:
    return [_within(_change, wanted) for wanted in changes]


@runs_last
def remove_many(removals: Sequence[Removal]) -> Sequence[None | NoSuchView | NotAllowed]:
    return [_within(_remove, removal) for removal in removals]


def _within(function: Any, unit: ViewChange | Removal) -> Any:
    """The result, or the refusal as a value: an exception would undo the other units of the commit."""
    try:
        with change() as changing:
            return function(changing, unit)
    except (NoSuchView, NotAllowed, NameTaken, TooMany) as refusal:
        return refusal


def _change(changing: Change, wanted: ViewChange) -> View:
    who = wanted.by
    row = _visible(wanted.view_id, who.principal_id)
    if row is None and not wanted.is_new:
        raise NoSuchView
    if row is None:
        row = SavedView(id=wanted.view_id, owner_id=who.principal_id, created_at=changing.now)
    if wanted.fields:
        _set(changing, row, wanted)
    _set_start(changing, row, wanted)
    start_id = StartView.objects.filter(pk=who.principal_id).values_list("view_id", flat=True).first()
    return as_json(row, who.principal_id, start_id)


def _set(changing: Change, row: SavedView, wanted: ViewChange) -> None:
    who = wanted.by
    shared = wanted.fields.get("shared", row.shared)
    # What others see changes only by those who may share; to stop sharing needs no right.
    if row.owner_id != who.principal_id or (shared and not who.may_share):
        raise NotAllowed
    was = "" if wanted.is_new else row.name
    for name, value in wanted.fields.items():
        setattr(row, name, value)
    row.owner_name, row.updated_at = who.name, changing.now
    _refuse_beyond_limits(row)
    row.save()
    verb = "saved" if wanted.is_new else "changed"
    renamed = f" (was {was!r})" if was not in ("", row.name) else ""
    _audit(wanted, f"{verb} {'shared ' if row.shared else ''}view {row.name!r}{renamed}")


def _refuse_beyond_limits(row: SavedView) -> None:
    others = SavedView.objects.exclude(pk=row.pk)
    own = others.filter(owner_id=row.owner_id)
    if own.filter(name=row.name).exists():
        raise NameTaken
    if own.count() >= OWN_LIMIT:
        raise TooMany(f"There are at most {OWN_LIMIT} views of one owner.")
    if row.shared and others.filter(shared=True).count() >= SHARED_LIMIT:
        raise TooMany(f"There are at most {SHARED_LIMIT} shared views.")


def _set_start(changing: Change, row: SavedView, wanted: ViewChange) -> None:
    mine = StartView.objects.filter(pk=wanted.by.principal_id)
    if wanted.start:
        chosen = {"view": row, "chosen_at": changing.now}
        StartView.objects.update_or_create(pk=wanted.by.principal_id, defaults=chosen)
    elif wanted.start is False:
        mine.filter(view=row).delete()
    # Others who began with a view that is not shared any more begin without one.
    if not row.shared:
        StartView.objects.filter(view=row).exclude(pk=row.owner_id).delete()


def _remove(_changing: Change, removal: Removal) -> None:
    if TokenAudit.objects.filter(pk=removal.audit_id).exists():
        # Written already: the result of that commit was lost.
        return
    row = _visible(removal.view_id, removal.by.principal_id)
    if row is None:
        raise NoSuchView
    if row.owner_id != removal.by.principal_id:
        raise NotAllowed
    row.delete()
    _audit(removal, f"deleted {'shared ' if row.shared else ''}view {row.name!r}")


def _visible(view_id: uuid.UUID, principal_id: str) -> SavedView | None:
    return SavedView.objects.filter(Q(owner_id=principal_id) | Q(shared=True), pk=view_id).first()


def _audit(unit: ViewChange | Removal, reason: str) -> None:
    if TokenAudit.objects.filter(pk=unit.audit_id).exists():
        return
    who = unit.by
    TokenAudit(
        id=unit.audit_id,
        action=TokenAudit.Action.VIEW_CHANGED,
        actor=who.name,
        principal_id=who.principal_id,
        principal_name=who.name,
        reason=reason[:REASON_LENGTH],
        address=who.address,
        correlation_id=who.correlation_id,
    ).save()
