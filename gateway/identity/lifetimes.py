"""How long a ticket lives, and for how long what was ended must be remembered because of it. Reads the settings."""

from datetime import datetime, timedelta

from django.conf import settings

# Clocks of several machines may differ by so much. To remember or revoke a ticket that is dead already does no harm.
CLOCKS_DIFFER = timedelta(minutes=5)


def longest_ticket_seconds() -> int:
    """From the issue of a ticket to its end. No ticket lives longer, in any store."""
    seconds: int = settings.SSE_TOKEN_TTL_SECONDS
    return seconds


def oldest_live_ticket(now: datetime) -> datetime:
    """A ticket that was issued or revoked before this time is dead, by every machine's clock."""
    return now - timedelta(seconds=longest_ticket_seconds()) - CLOCKS_DIFFER


def oldest_live_stream(now: datetime) -> datetime:
    """What a session or a ticket opened before this time has ended: a ticket's life, then a stream's.

    Twice a stream's: its limit is checked now and then, and clocks differ.
    """
    return now - timedelta(seconds=longest_ticket_seconds() + 2 * settings.STREAM_MAX_AGE_SECONDS)
