"""Console sessions: their names as principals, and which sessions, streams and tickets were ended."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.crypto import salted_hmac

from gateway import tokens
from gateway.models import EndedSession, EndedStream, EndedTicket, RightsVersion
from ledger import clock

ID_LENGTH = 20
# The length of the table's column: 160 of the digest's 256 bits.
ROW_KEY_LENGTH = 40
# Clocks of several machines may differ by so much, so ended tickets are kept in memory for longer by this.
TICKET_MEMORY_MIN = timedelta(minutes=5)


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
    return frozenset(EndedSession.objects.filter(at__gte=memory_begins()).values_list("session_id", flat=True))


def ended_streams() -> frozenset[str]:
    """Streams that an administrator ended and that may still be open in some process."""
    return frozenset(EndedStream.objects.filter(at__gte=memory_begins()).values_list("stream_id", flat=True))


def ended_tickets() -> frozenset[str]:
    """Tickets that were revoked and may not have expired yet."""
    begins = clock.ask() - TICKET_MEMORY_MIN - timedelta(seconds=settings.SSE_TOKEN_TTL_SECONDS)
    return frozenset(EndedTicket.objects.filter(at__gte=begins).values_list("ticket_id", flat=True))


def end(session_key: str) -> None:
    """End the session's tickets and streams: the person signed out, or another one signed in."""
    with transaction.atomic():
        EndedSession.objects.update_or_create(session_id=session_id(session_key), defaults={"at": clock.ask()})
        RightsVersion.bump()


def memory_begins() -> datetime:
    """From when on ended sessions and streams must be remembered: a ticket and a stream outlive them by no more."""
    seconds = settings.SSE_TOKEN_TTL_SECONDS + 2 * settings.STREAM_MAX_AGE_SECONDS
    return clock.ask() - timedelta(seconds=seconds)
