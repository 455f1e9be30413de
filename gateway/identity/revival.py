"""After a restored copy of the database: rights that are valid again, and which of them the program ends.

A copy does not contain revocations that were made after it. Sessions and tickets are ended, since people can sign in
again and clients get new tickets; tokens, roles and passwords must be checked by people.

Only the commands do this. A server that finds its log in an older state cannot tell a copy of last week from a failover
that lost the commits of a second, and must not sign all people out at each failover. docs/operations.md says so.
"""

from argparse import ArgumentParser
from collections.abc import Iterator

from django.contrib.sessions.models import Session
from django.db import transaction

from gateway.identity import tickets
from gateway.identity.lifetimes import longest_ticket_seconds
from gateway.models import RightsVersion
from gateway.shared_store import store

KEEP_SESSIONS = "--keep-sessions"
LOST = (
    "Whatever was revoked or taken away after the copy was made is valid again: tokens, roles, permissions, accounts, "
    "old passwords. docs/operations.md says what to check."
)


def add_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        KEEP_SESSIONS,
        action="store_true",
        help="Let sessions and tickets live on, also those that were signed out of or revoked since the copy.",
    )


def report(*, keep_sessions: bool) -> Iterator[str]:
    """End sessions and tickets unless `keep_sessions`; yields what was done, and what people must check, as
    sentences.
    """
    yield LOST
    if keep_sessions:
        yield "Sessions and tickets are kept: who signed out after the copy was made is signed in again."
        return
    ended = end_sessions()
    yield f"{ended} sessions are ended: all users sign in again."
    try:
        tickets.remove_all()
    except store.FAULTS as error:
        seconds = longest_ticket_seconds()
        yield f"Redis does not answer ({type(error).__name__}): tickets of before are good for up to {seconds} s."
    else:
        yield "Tickets of before open nothing."


def end_sessions() -> int:
    """End all sessions; returns how many. Works with the tables of an older version too."""
    with transaction.atomic():
        RightsVersion.bump()
        rows, _ = Session.objects.all().delete()
    return rows
