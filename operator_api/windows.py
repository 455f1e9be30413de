"""Windows: may operators act now? Each change (open, extend, close, expire) commits its event in the same transaction.

One window is open at a time, which a constraint of the database ensures; its clock decides when a window is over.
Functions named `..._many` are for the ledger's writer. A request that is written twice, because the result of a commit
was lost, has the same id, and gets the result of the first time.
"""

import dataclasses
import math
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict

from django.db.models.functions import Now

from events import log
from events.log import Change, Cursor, change, timestamp
from ledger import clock
from ledger.writer import runs_last
from operator_api.models import Window

SOLO_MADRE = "solo_madre"
WINDOW_ACTIVE = "window_active"
DEGRADED = "degraded"
# The module in whose name window events are published.
MODULE = "madre"
# Defaults of a request to open a window.
TTL_DEFAULT_SECONDS, TTL_MAX_SECONDS = 600, 86_400
SERVICES_DEFAULT = ("switch", "hermes")
# A window with a deadline, or one that stays open until it is closed.
MODES = ("ttl", "hold")
REASON_LIMIT = 500

# One statement, so that no change can happen between reading the window and reading the position in the log. Written as
# SQL, because every front end polls it every few seconds, and building the query took most of the time.
_SNAPSHOT = (
    f'SELECT there.*, head."epoch", head."last_seq" FROM "{log.HEAD_TABLE}" head '  # noqa: S608 - our own names
    f'LEFT JOIN "{Window._meta.db_table}" there ON there."closed_at" IS NULL WHERE head."id" = 1'
)


class Status(TypedDict):
    """The window, as clients see it: open, closed, or unknown."""

    mode: str
    # None: no deadline, or no window.
    ttl_seconds: int | None
    window_id: str | None
    services: list[str]
    reason: str | None
    opened_by: str | None
    created_at: str | None
    deadline: str | None
    chat_enabled: bool
    # The position in the log at which this is true; "" if the log cannot be read. Events hold a status without one.
    cursor: NotRequired[str]
    # Whether a core module is down: known where the modules are looked at, in operator_api.status.
    degraded: NotRequired[bool]


class ClosedStatus(Status):
    """After a window was closed: `window_id` is that of the closed one."""

    closed_at: str
    services_stopped: list[str]


class AlreadyOpen(Exception):
    """Another window is open; `window` is its status."""

    def __init__(self, window: Status) -> None:
        super().__init__(window["window_id"])
        self.window = window


class NoneOpen(Exception):
    """There is no open window to extend or to close."""


@dataclasses.dataclass(frozen=True, slots=True)
class WindowActor:
    """Who requests a change, and in which request."""

    principal_id: str
    name: str
    correlation_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class WindowOpening:
    """A request to open a window. With `ttl_seconds` None it stays open until it is closed."""

    services: list[str]
    ttl_seconds: int | None
    reason: str
    by: WindowActor
    id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True)
class Extension:
    """A request that the window ends so many seconds from now, also if it had no deadline."""

    ttl_seconds: int
    by: WindowActor
    id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True)
class Closing:
    by: WindowActor
    id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


def snapshot() -> Status:
    """The window's part of the status, and the position in the log at which it is true. Reads the database."""
    found = next(iter(Window.objects.raw(_SNAPSHOT)), None)
    if found is None:
        # The log has no head yet: log.head() creates it.
        log.head()
        return snapshot()
    status = closed(SOLO_MADRE)
    if found.pk is not None:
        # By the database's clock: a window is over at its deadline, even before its row is updated.
        now = clock.ask()
        status = status_of(found, now) if found.deadline is None or found.deadline > now else status
    return {**status, "cursor": str(Cursor(found.epoch, found.last_seq))}  # type: ignore[attr-defined]  # of the head


def status_of(window: Window, now: datetime) -> Status:
    """An open window as clients see it, without a cursor."""
    deadline = window.deadline
    return {
        "mode": WINDOW_ACTIVE,
        "ttl_seconds": None if deadline is None else max(0, math.ceil((deadline - now).total_seconds())),
        "window_id": str(window.id),
        "services": list(window.services),
        "reason": window.reason or None,
        "opened_by": window.opened_by or None,
        "created_at": timestamp(window.created_at),
        "deadline": None if deadline is None else timestamp(deadline),
        "chat_enabled": True,
    }


def closed(mode: str, *, reason: str | None = None) -> Status:
    """The same fields for when no window is open, or when that cannot be read."""
    return {
        "mode": mode,
        "ttl_seconds": None,
        "window_id": None,
        "services": [],
        "reason": reason,
        "opened_by": None,
        "created_at": None,
        "deadline": None,
        "chat_enabled": False,
    }


def unknown(*, reason: str) -> Status:
    """For when neither the window nor the log can be read."""
    return {**closed(DEGRADED, reason=reason), "cursor": ""}


def is_due() -> bool:
    """Whether a window is past its deadline and not closed yet: one cheap query."""
    return Window.objects.filter(closed_at=None, deadline__lte=Now()).exists()


def open_in(changing: Change) -> Window | None:
    """The window that is open in this transaction. It cannot be closed before the transaction ends."""
    window = Window.objects.filter(closed_at=None).first()
    is_over = window is not None and window.deadline is not None and window.deadline <= changing.now
    return None if is_over else window


@runs_last
def open_many(openings: Sequence[WindowOpening]) -> Sequence[Status | AlreadyOpen]:
    return [_open(opening) for opening in openings]


@runs_last
def extend_many(extensions: Sequence[Extension]) -> Sequence[Status | NoneOpen]:
    return [_extend(extension) for extension in extensions]


@runs_last
def close_many(closings: Sequence[Closing]) -> Sequence[ClosedStatus | NoneOpen]:
    """Of each: the status after it, with the closed window's `window_id`, `closed_at` and `services_stopped`."""
    return [_close(closing) for closing in closings]


@runs_last
def expire_many(requests: Sequence[None]) -> Sequence[bool]:
    """Close the window that is past its deadline, if there is one: the first process does it, others find nothing."""
    with change() as changing:
        expired = _expire(changing)
    return [expired] * len(requests)


def _open(opening: WindowOpening) -> Status | AlreadyOpen:
    with change() as changing:
        _expire(changing)
        if Window.objects.filter(pk=opening.id).exclude(closed_at=None).exists():
            # An earlier try of this request opened it, and it has ended since.
            return _status(changing, None)
        there = Window.objects.filter(closed_at=None).first()
        if there is not None:
            status = _status(changing, there)
            return status if there.pk == opening.id else AlreadyOpen(status)
        window = Window.objects.create(
            id=opening.id,
            services=opening.services,
            reason=opening.reason,
            opened_by=opening.by.name,
            created_at=changing.now,
            deadline=_deadline(changing, opening.ttl_seconds),
            last_change=opening.id,
        )
        _publish(changing, "window.opened", window, by=opening.by)
        return _status(changing, window)


def _extend(extension: Extension) -> Status | NoneOpen:
    with change() as changing:
        _expire(changing)
        window = Window.objects.filter(closed_at=None).first()
        if window is None:
            return NoneOpen()
        if window.last_change != extension.id:
            window.deadline = _deadline(changing, extension.ttl_seconds)
            window.last_change = extension.id
            window.save(update_fields=["deadline", "last_change"])
            _publish(changing, "window.extended", window, by=extension.by)
        return _status(changing, window)


def _close(closing: Closing) -> ClosedStatus | NoneOpen:
    with change() as changing:
        _expire(changing)
        window = Window.objects.filter(closed_at=None).first()
        if window is not None:
            window.last_change = closing.id
            _end(changing, window, Window.Ending.CLOSED, by=closing.by)
        # A closed window never changes, so if its last change has this id, an earlier try of this request closed it.
        window = window or Window.objects.filter(last_change=closing.id).first()
        if window is None or window.closed_at is None:
            return NoneOpen()
        return {
            **_status(changing, None),
            "window_id": str(window.id),
            "closed_at": timestamp(window.closed_at),
            "services_stopped": list(window.services),
        }


def _expire(changing: Change) -> bool:
    window = Window.objects.filter(closed_at=None, deadline__lte=changing.now).first()
    if window is not None:
        _end(changing, window, Window.Ending.EXPIRED)
    return window is not None


def _end(changing: Change, window: Window, ending: Window.Ending, *, by: WindowActor | None = None) -> None:
    window.closed_at, window.ending = changing.now, ending
    window.closed_by = by.name if by else ""
    window.save(update_fields=["closed_at", "ending", "closed_by", "last_change"])
    _publish(changing, f"window.{ending}", window, by=by)


def _publish(changing: Change, event_type: str, window: Window, *, by: WindowActor | None) -> None:
    """The event contains the new state, so that readers of the log need not request it."""
    status = closed(SOLO_MADRE) if window.closed_at else status_of(window, changing.now)
    verb = event_type.removeprefix("window.")
    changing.publish(
        event_type,
        f"{by.name} {verb} the window" if by else f"the window {verb}",
        module=MODULE,
        payload={
            "window_id": str(window.id),
            "services": list(window.services),
            "by": by.name if by else None,
            "principal_id": by.principal_id if by else None,
            "window": status,
        },
        correlation_id=by.correlation_id if by else "",
    )


def _status(changing: Change, window: Window | None) -> Status:
    """The state after the change, with the position in the log at which it is true."""
    status = closed(SOLO_MADRE) if window is None else status_of(window, changing.now)
    return {**status, "cursor": str(changing.cursor)}


def _deadline(changing: Change, ttl_seconds: int | None) -> datetime | None:
    return None if ttl_seconds is None else changing.now + timedelta(seconds=ttl_seconds)
