"""Console sessions: their names as principals, and which sessions, streams and tickets were ended."""

from datetime import datetime

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.crypto import salted_hmac

from gateway import tokens
from gateway.identity.lifetimes import oldest_live_stream, oldest_live_ticket
from gateway.models import EndedSession, EndedStream, EndedTicket, RightsVersion
from ledger import clock

ID_LENGTH = 20
# The length of the table's column: 160 of the digest's 256 bits.
ROW_KEY_LENGTH = 40


def principal_id(user_id: int) -> str:
    """The public id of a console user in tickets and audit rows."""
    return f"u-{user_id}"


def session_id(session_key: str | None) -> str:
    """A name for a session that is safe to store: with the key itself, a reader could sign in."""
    return salted_hmac("vx11.session", session_key or "").hexdigest()[:ID_LENGTH]


def row_key(session_key: str | None) -> str:
    """The key of the session's row, see gateway.identity.session_store."""
    return tokens.digest(session_key or "")[:ROW_KEY_LENGTH]


def ends() -> dict[str, datetime]:
    """When each current session ends, by its row's key: its tickets and streams end then too."""
    return dict(Session.objects.filter(expire_date__gt=clock.now()).values_list("session_key", "expire_date"))


def generation(user: User) -> str:
    """A value that changes with the user's password; sessions, tickets and streams of an earlier one are not valid."""
    return salted_hmac("vx11.generation", user.password).hexdigest()[:ID_LENGTH]


def ended() -> frozenset[str]:
    """Sessions that have ended, of which a ticket or a stream may still exist."""
    recent = EndedSession.objects.filter(at__gte=oldest_live_stream(clock.ask()))
    return frozenset(recent.values_list("session_id", flat=True))


def ended_streams() -> frozenset[str]:
    """Streams that an administrator ended and that may still be open in some process."""
    recent = EndedStream.objects.filter(at__gte=oldest_live_stream(clock.ask()))
    return frozenset(recent.values_list("stream_id", flat=True))


def ended_tickets() -> frozenset[str]:
    """Tickets that were revoked and may not have expired yet."""
    recent = EndedTicket.objects.filter(at__gte=oldest_live_ticket(clock.ask()))
    return frozenset(recent.values_list("ticket_id", flat=True))


def end(session_key: str) -> None:
    """End the session's tickets and streams: the person signed out, or another one signed in."""
    with transaction.atomic():
        EndedSession.objects.update_or_create(session_id=session_id(session_key), defaults={"at": clock.ask()})
        RightsVersion.bump()
