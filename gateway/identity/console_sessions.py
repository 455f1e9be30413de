"""Console sessions as principals: how they are named; and what was ended of sessions, streams and tickets."""

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
# What the table's column holds: 160 of the digest's 256 bits.
ROW_KEY_LENGTH = 40
# Clocks of several machines may differ by so much.
TICKET_MEMORY_MIN = timedelta(minutes=5)


def principal_id(user_id: int) -> str:
    """How a console user is named in tickets and audit rows."""
    return f"u-{user_id}"


def session_id(session_key: str | None) -> str:
    """A name for a session that is safe to store: the key itself would sign in whoever reads it."""
    return salted_hmac("vx11.session", session_key or "").hexdigest()[:ID_LENGTH]


def row_key(session_key: str | None) -> str:
    """Under which the session is stored, see gateway.identity.session_store."""
    return tokens.digest(session_key or "")[:ROW_KEY_LENGTH]


def ends() -> dict[str, datetime]:
    """When each session that is signed in ends, by its row's key: what it opened does not outlive it."""
    return dict(Session.objects.filter(expire_date__gt=clock.now()).values_list("session_key", "expire_date"))


def generation(user: User) -> str:
    """Changes with the user's password, as the validity of the sessions does."""
    return salted_hmac("vx11.generation", user.password).hexdigest()[:ID_LENGTH]


def ended() -> frozenset[str]:
    """The sessions that were signed out of and may still be named by a ticket or a stream."""
    return frozenset(EndedSession.objects.filter(at__gte=memory_begins()).values_list("session_id", flat=True))


def ended_streams() -> frozenset[str]:
    """The streams that an administrator ended and that may still be open somewhere."""
    return frozenset(EndedStream.objects.filter(at__gte=memory_begins()).values_list("stream_id", flat=True))


def ended_tickets() -> frozenset[str]:
    """The tickets that were revoked and whose time may not be over yet."""
    begins = clock.ask() - TICKET_MEMORY_MIN - timedelta(seconds=settings.SSE_TOKEN_TTL_SECONDS)
    return frozenset(EndedTicket.objects.filter(at__gte=begins).values_list("ticket_id", flat=True))


def end(session_key: str) -> None:
    """Nothing that this session opened goes on: somebody signed out, or somebody else signed in."""
    with transaction.atomic():
        EndedSession.objects.update_or_create(session_id=session_id(session_key), defaults={"at": clock.ask()})
        RightsVersion.bump()


def memory_begins() -> datetime:
    """Nothing that a session opened outlives it by more than a ticket and a stream."""
    seconds = settings.SSE_TOKEN_TTL_SECONDS + 2 * settings.STREAM_MAX_AGE_SECONDS
    return clock.ask() - timedelta(seconds=seconds)
