"""What became of a ticket, from its issue to the end of its stream; and what a principal did lately. Reads only."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import OperationalError

from events.models import StreamSession
from gateway.admin.deadline import read_within
from gateway.filters import Selection
from gateway.models import TokenAudit
from ledger import clock

# A ticket opens one stream; with VX11_SSE_TOKEN_SINGLE_USE off, or under attack, it may be named more often.
TICKET_LIMIT_ROWS = 200
# What a principal's page shows of each kind. More is in the lists.
PRINCIPAL_LIMIT_ROWS = 20
# Rare rows among many others of the same principal are searched no further back than this.
PRINCIPAL_DAYS = 7
# How long a page waits for a ticket's history. The rest of the page, such as revoking, must not wait longer for it.
READ_SECONDS = 2.0

Read = TypeVar("Read")
Action = TokenAudit.Action
OPENED, ENDED = "opened", "ended"


@dataclasses.dataclass(frozen=True)
class Moment:
    """One line of a ticket's life. `kind` is issued, redeemed, refused, opened, ended, ..."""

    at: datetime
    kind: str
    title: str
    details: tuple[tuple[str, str], ...] = ()
    after: timedelta | None = None

    @property
    def after_seconds(self) -> str:
        return "" if self.after is None else f"+{self.after.total_seconds():.1f} s"


@dataclasses.dataclass(frozen=True)
class TicketLife:
    ticket_id: str
    principal_id: str
    principal_name: str
    moments: list[Moment]
    streams: list[StreamSession]
    # Those that audit rows name, whether or not their own rows are there.
    named_streams: frozenset[str]
    # Whether there is more than is shown.
    cut: bool = False

    @property
    def stream_ids(self) -> frozenset[str]:
        return frozenset(str(stream.pk) for stream in self.streams)


@dataclasses.dataclass(frozen=True)
class PrincipalLife:
    public_id: str
    tickets: list[TokenAudit]
    streams: list[StreamSession]
    refusals: list[TokenAudit]


class Unreadable(Exception):
    """There is too much to read, or the database does not answer."""


def in_time(read: Callable[[], Read]) -> Read:
    """Raises Unreadable."""
    try:
        with read_within(READ_SECONDS):
            return read()
    except OperationalError:
        raise Unreadable from None


def of_ticket(ticket_id: str) -> TicketLife | None:
    """None for a ticket that nothing names, or does not name any more."""
    rows = list(TokenAudit.objects.filter(ticket_id=ticket_id).order_by("at")[:TICKET_LIMIT_ROWS])
    streams = list(StreamSession.objects.filter(ticket_id=ticket_id).order_by("opened_at")[:TICKET_LIMIT_ROWS])
    if not rows and not streams:
        return None
    moments = [_of_row(row) for row in rows]
    moments += [moment for stream in streams for moment in _of_stream(stream)]
    # A stream opens while its ticket is redeemed, so its row may be a moment older. People expect the ticket first.
    used_at = max((row.at for row in rows if row.action == Action.TICKET_REDEEMED), default=None)
    moments.sort(key=lambda moment: max(moment.at, used_at) if used_at and moment.kind == OPENED else moment.at)
    begin = moments[0].at
    names = [(row.principal_id, row.principal_name) for row in rows]
    names += [(stream.principal_id, stream.principal_name) for stream in streams]
    principal_id, principal_name = next((name for name in names if name[0]), ("", ""))
    return TicketLife(
        ticket_id,
        principal_id,
        principal_name,
        [dataclasses.replace(moment, after=moment.at - begin) for moment in moments],
        streams,
        frozenset(row.stream_id for row in rows if row.stream_id),
        cut=len(rows) == TICKET_LIMIT_ROWS or len(streams) == TICKET_LIMIT_ROWS,
    )


def of_principal(public_id: str) -> PrincipalLife:
    lately = clock.now() - timedelta(days=PRINCIPAL_DAYS)
    rows = TokenAudit.objects.filter(principal_id=public_id, at__gte=lately).order_by("-at")
    streams = StreamSession.objects.filter(principal_id=public_id).order_by("-opened_at")
    return PrincipalLife(
        public_id,
        list(rows.filter(action=Action.TICKET_ISSUED)[:PRINCIPAL_LIMIT_ROWS]),
        list(streams[:PRINCIPAL_LIMIT_ROWS]),
        list(rows.filter(action=Action.REFUSED)[:PRINCIPAL_LIMIT_ROWS]),
    )


def of_principal_in_time(public_id: str) -> PrincipalLife | None:
    """None if it cannot be read in time."""
    try:
        return in_time(lambda: of_principal(public_id))
    except Unreadable:
        return None


_TITLES = {
    Action.TICKET_ISSUED: "Ticket issued",
    Action.TICKET_REDEEMED: "Ticket used",
    Action.TICKET_REVOKED: "Ticket revoked",
    Action.REFUSED: "Refused",
    Action.STREAM_DISCONNECTED: "Disconnected by an administrator",
}


def _of_row(row: TokenAudit) -> Moment:
    action = Action(row.action)
    details = {
        "by": row.actor,
        "principal": _both(row.principal_id, row.principal_name),
        "from": row.address,
        "may see" if action is Action.TICKET_ISSUED else "because": row.reason,
        "times": str(row.count) if row.count > 1 else "",
        "stream": row.stream_id,
        "correlation id": row.correlation_id,
    }
    return Moment(row.at, row.action, _TITLES.get(action, action.label), _filled(details))


def _of_stream(stream: StreamSession) -> Iterator[Moment]:
    opened = {
        "stream": str(stream.pk),
        "from": stream.address,
        "from cursor": stream.cursor,
        "may see": selection_text(stream),
        "correlation id": stream.correlation_id,
    }
    yield Moment(stream.opened_at, OPENED, "Stream opened", _filled(opened))
    if stream.closed_at is not None:
        ended = {
            "because": stream.end_reason,
            "after": duration_text(stream),
            "events": f"{stream.events_sent:,}",
            "bytes": f"{stream.bytes_sent:,}",
        }
        yield Moment(stream.closed_at, ENDED, "Stream ended", _filled(ended))


def selection_text(stream: StreamSession) -> str:
    """What the stream was narrowed to."""
    return Selection.from_json(stream.selection).describe()


def duration_text(stream: StreamSession) -> str:
    """How long the stream lasted, or has lasted by now: "1 h 2 min", "3.5 s"."""
    seconds = ((stream.closed_at or clock.now()) - stream.opened_at).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _both(public_id: str, name: str) -> str:
    return f"{public_id} ({name})" if name else public_id


def _filled(details: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in details.items() if value)
