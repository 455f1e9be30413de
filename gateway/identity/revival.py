"""What an earlier state of the database brings back to life, and what of it is ended again.

A copy knows nothing of what was taken away after it was made. Sessions and tickets are ended, since people can sign in
again and clients buy new tickets; tokens, roles and passwords are for people to look at.
"""

from argparse import ArgumentParser
from collections.abc import Iterator

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction

from gateway.identity import tickets
from gateway.models import RightsVersion
from gateway.shared_store import store

KEEP_SESSIONS = "--keep-sessions"
LOST = (
    "Whatever was revoked or taken away after the copy was made is valid again: tokens, roles, permissions, accounts, "
    "old passwords. docs/operations.md says what to look at."
)


def add_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        KEEP_SESSIONS,
        action="store_true",
        help="Let sessions and tickets live on, also those that were signed out of or revoked since the copy.",
    )


def report(*, keep_sessions: bool) -> Iterator[str]:
    """Ends sessions and tickets unless they shall be kept, and says what became of them and what nothing ends."""
    yield LOST
    if keep_sessions:
        yield "Sessions and tickets are kept: who signed out after the copy was made is signed in again."
        return
    ended = end_sessions()
    yield f"{ended} sessions are ended: everybody signs in again."
    try:
        tickets.remove_all()
    except store.FAULTS as error:
        seconds = settings.SSE_TOKEN_TTL_SECONDS
        yield f"Redis does not answer ({type(error).__name__}): tickets of before are good for up to {seconds} s."
    else:
        yield "Tickets of before open nothing."


def end_sessions() -> int:
    """All of them; how many. The tables of an older version will do."""
    with transaction.atomic():
        RightsVersion.bump()
        rows, _ = Session.objects.all().delete()
    return rows
