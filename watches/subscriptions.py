"""Changes of webhooks by people: each is one transaction with its audit row, under the lock of the log's head.

So the limit and the names hold when two are changed at once, and `newest` is exactly the end of the log. What is
changed here ends the attempt under way: what comes of it does not count.
"""

import dataclasses
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import IntegrityError
from django.db.models import QuerySet

from events import log
from events.log import Change, Cursor, change
from gateway.models import TokenAudit
from ledger.writer import runs_last
from watches.delivery import addresses, secrets, webhooks
from watches.models import Subscription
from watches.store import WatchActor, audit

Unit = TypeVar("Unit", bound="_Unit")
Result = TypeVar("Result")

NEWEST, OLDEST = "newest", "oldest"


class NoSuchWebhook(Exception):
    """There is none with this id that the caller may see."""


class NameTaken(Exception):
    """There is another webhook of this name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """What a body says of a webhook; None: it does not. `begin` is NEWEST, OLDEST or a cursor."""

    name: str | None = None
    query: str | None = None
    address: str | None = None
    secret: str | None = None
    begin: str | Cursor | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """One change, which is written once however often it is tried. `by.is_administrator`: of all webhooks, not only
    of one's own."""

    by: WatchActor
    change_id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Addition(_Unit):
    """A name, an address and a secret are given."""

    given: Given


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Revision(_Unit):
    webhook_id: int
    given: Given


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start(_Unit):
    """Send again: from where it is, or from `begin`."""

    webhook_id: int
    begin: str | Cursor | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Removal(_Unit):
    webhook_id: int


@runs_last
def add_many(additions: Sequence[Addition]) -> Sequence[Subscription | Exception]:
    return [_once(addition, _add, _added) for addition in additions]


@runs_last
def revise_many(revisions: Sequence[Revision]) -> Sequence[Subscription | Exception]:
    """Who changes it is its owner then: it gets what its owner may see, and goes where its owner has said."""
    return [_once(revision, _revise, _own) for revision in revisions]


@runs_last
def start_many(starts: Sequence[Start]) -> Sequence[Subscription | Exception]:
    return [_once(start, _start, _own) for start in starts]


@runs_last
def remove_many(removals: Sequence[Removal]) -> Sequence[None | Exception]:
    return [_once(removal, _remove, lambda _removal: None) for removal in removals]


def seen_by(by: WatchActor) -> "QuerySet[Subscription]":
    """Own ones; administrators who may see all modules see all."""
    return Subscription.objects.all() if by.is_administrator else Subscription.objects.filter(owner_id=by.principal_id)


def _once(unit: Unit, write: Callable[[Change, Unit], Result], written: Callable[[Unit], Result]) -> Result | Exception:
    """The result, or the refusal as a value: an exception would undo the other units of the commit."""
    try:
        with change() as changing:
            if TokenAudit.objects.filter(pk=unit.change_id).exists():
                return written(unit)
            return write(changing, unit)
    except (NoSuchWebhook, NameTaken, webhooks.TooManyWebhooks) as refusal:
        return refusal
    except IntegrityError:
        # The admin has given another one this name meanwhile.
        return NameTaken()


def _add(changing: Change, addition: Addition) -> Subscription:
    webhooks.refuse_more()
    begin = _place(changing, addition.given.begin or NEWEST)
    new = Subscription(created_at=changing.now, epoch=begin.epoch, seq=begin.seq, **_columns(addition.given))
    new.owner_id, new.owner_name = addition.by.principal_id, addition.by.name
    _refuse_taken(new)
    new.save(force_insert=True)
    audit(addition.by, addition.change_id, f"added webhook {new}")
    return new


def _added(addition: Addition) -> Subscription:
    return Subscription.objects.get(name=addition.given.name)


def _revise(_changing: Change, revision: Revision) -> Subscription:
    by, columns = revision.by, _columns(revision.given)
    before = _own(revision)
    if "name" in columns:
        _refuse_taken(Subscription(pk=before.pk, name=columns["name"]))
    if columns:
        columns |= {"owner_id": by.principal_id, "owner_name": by.name, "claimed_until": None}
        Subscription.objects.filter(pk=before.pk).update(**columns)
    audit(by, revision.change_id, f"changed webhook {before}: {', '.join(_named(revision.given)) or 'nothing'}")
    return _own_now(before.pk)


def _start(changing: Change, start: Start) -> Subscription:
    webhook = _own(start)
    begin = None if start.begin is None else _place(changing, start.begin)
    webhooks.start_again(webhook, begin)
    audit(start.by, start.change_id, f"started webhook {webhook} again{'' if begin is None else f' from {begin}'}")
    return _own_now(webhook.pk)


def _remove(_changing: Change, removal: Removal) -> None:
    webhook = _own(removal)
    audit(removal.by, removal.change_id, f"deleted webhook {webhook}")
    webhook.delete()


def _own(unit: Revision | Start | Removal) -> Subscription:
    """As it is in this transaction. Raises NoSuchWebhook."""
    webhook = seen_by(unit.by).filter(pk=unit.webhook_id).first()
    if webhook is None:
        raise NoSuchWebhook
    return webhook


def _own_now(webhook_id: int) -> Subscription:
    return Subscription.objects.get(pk=webhook_id)


def _refuse_taken(webhook: Subscription) -> None:
    if Subscription.objects.filter(name=webhook.name).exclude(pk=webhook.pk).exists():
        raise NameTaken


def _place(changing: Change, begin: str | Cursor) -> Cursor:
    if isinstance(begin, Cursor):
        return begin
    return log.head().oldest if begin == OLDEST else changing.before


def _columns(given: Given) -> dict[str, Any]:
    columns = {name: value for name, value in (("name", given.name), ("query", given.query)) if value is not None}
    if given.address is not None:
        columns |= {"address": secrets.encrypt(given.address), "masked": addresses.masked(given.address)}
    if given.secret is not None:
        columns["secret"] = secrets.encrypt(given.secret)
    return columns


def _named(given: Given) -> list[str]:
    """The names of what was given, and no values: an address is a secret."""
    return [field.name for field in dataclasses.fields(given) if getattr(given, field.name) is not None]
