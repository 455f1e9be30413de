"""Tokens of the environment: valid while a serving process holds them, and a while longer over restarts.

Every serving process writes a few times a minute which of them it was given. A token that no process was given ends; a
process that was started without one changes nothing for the others.
"""

import logging
import os
import secrets
import socket
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from gateway import metrics, tokens
from gateway.models import AccessToken, AccessTokenQuerySet, TokenHolder
from gateway.scopes import SCOPES_OF_KIND
from ledger.uptime import uptime_seconds

logger = logging.getLogger(__name__)

LEFT_ENVIRONMENT = "no longer in the environment"
# How often a process writes what it holds.
HOLD_SECONDS = 10.0
# A process that has not done so for this long does not count as running when processes are compared.
RUNNING_SECONDS = 30
# How long a token is valid after the last process that held it: a restart takes less.
GRACE_SECONDS = 60
# Rows of processes that have ended are deleted when another one starts.
KEEP_ROWS = timedelta(hours=1)


class Holding:
    """What this process holds, and since when it can say that others hold nothing."""

    def __init__(self) -> None:
        self._process = ""
        self._digests: list[str] = []
        # Times of an unbroken series of writes, in uptime_seconds(). After an outage of the database, processes that
        # run and hold tokens have not said so yet: a new series begins, and no token ends before its grace time.
        self._series_began = self._written_at = float("-inf")
        self._missing: list[str] = []

    def register(self) -> None:
        """Make the tokens of this process's environment valid, and write that it holds them.

        A token that an administrator revoked stays revoked. A backend does nothing here: the tokens of its environment
        are for other processes.
        """
        if settings.ROLE == "backend":
            return
        given = {"principal": settings.PRINCIPAL_TOKENS, "service": settings.SERVICE_TOKENS}
        kinds = {tokens.digest(text): kind for kind, texts in given.items() for text in texts}
        with transaction.atomic():
            for digest, kind in kinds.items():
                _make_valid(kind, digest)
        # In the process that serves: an imported module may be shared by processes that were forked from it.
        self._process = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._digests = sorted(kinds)
        TokenHolder.objects.filter(seen_at__lt=Now() - KEEP_ROWS).delete()
        self._series_began = self._written_at = float("-inf")
        self._write()

    def hold(self) -> None:
        """Write it again; end tokens that no process holds any more, and compare this process with the others."""
        if not self._process:
            self.register()
            return
        self._write()
        for token in _of_environment(self._digests).filter(revoked_because=LEFT_ENVIRONMENT):
            # This process was suspended, or cut off from the database.
            _make_valid(token.kind, token.digest)
        seconds = self._written_at - self._series_began
        if seconds >= GRACE_SECONDS:
            held = _held_within(GRACE_SECONDS)
            # A look that changes nothing must not make every other process read all rights again.
            gone = AccessToken.objects.filter(source=AccessToken.Source.ENVIRONMENT).exclude(digest__in=held)
            if gone.filter(revoked_at=None).exists():
                gone.revoke(because=LEFT_ENVIRONMENT)
        if seconds >= RUNNING_SECONDS:
            self._compare()

    def _write(self) -> None:
        # Each statement by itself: a process that waits for the row of another one must hold none that a third needs.
        row = TokenHolder(process=self._process, seen_at=Now(), digests=self._digests)
        TokenHolder.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["process"], update_fields=["seen_at", "digests"]
        )
        now = uptime_seconds()
        if now - self._written_at > RUNNING_SECONDS:
            self._series_began = now
        self._written_at = now

    def _compare(self) -> None:
        elsewhere = _held_within(RUNNING_SECONDS).difference(self._digests)
        missing = sorted(map(str, _of_environment(elsewhere).filter(revoked_at=None)))
        metrics.ENVIRONMENT_TOKENS_MISSING.set(len(missing))
        if missing and missing != self._missing:
            logger.warning(
                "other processes were given tokens that this one was not, by VX11_PRINCIPAL_TOKEN or "
                "VX11_SERVICE_TOKEN: %s. They stay valid while one of those runs",
                ", ".join(missing),
            )
        self._missing = missing


the_holding = Holding()


def differences() -> tuple[int, dict[str, list[str]]]:
    """How many processes run that may hold tokens, and those that lack some: the names of valid tokens which others
    were given, by the name of the process."""
    running = list(TokenHolder.objects.filter(seen_at__gte=Now() - timedelta(seconds=RUNNING_SECONDS)))
    names = {token.digest: str(token) for token in _of_environment(_all_of(running)).filter(revoked_at=None)}
    missing = {
        str(holder): sorted(name for digest, name in names.items() if digest not in holder.digests)
        for holder in running
    }
    return len(running), {process: lacks for process, lacks in sorted(missing.items()) if lacks}


def _held_within(seconds: int) -> set[str]:
    return _all_of(TokenHolder.objects.filter(seen_at__gte=Now() - timedelta(seconds=seconds)))


def _all_of(holders: Iterable[TokenHolder]) -> set[str]:
    return {digest for holder in holders for digest in holder.digests}


def _of_environment(digests: Iterable[str]) -> AccessTokenQuerySet:
    return AccessToken.objects.filter(source=AccessToken.Source.ENVIRONMENT, digest__in=digests)


def _make_valid(kind: str, digest: str) -> None:
    """Create the token, or update it: it may have moved to the other variable, or be older than one of the scopes."""
    scopes = sorted(SCOPES_OF_KIND[kind])
    token = AccessToken.objects.filter(digest=digest).first()
    if token is None:
        AccessToken.objects.get_or_create(
            digest=digest,
            defaults={
                "kind": kind,
                "public_id": tokens.new_public_id(kind[0]),
                "name": f"environment {kind}",
                "scopes": scopes,
                "source": AccessToken.Source.ENVIRONMENT,
            },
        )
    elif token.source == AccessToken.Source.ENVIRONMENT:
        before = (token.kind, token.scopes, token.revoked_because)
        token.kind, token.scopes = kind, scopes
        if token.revoked_because == LEFT_ENVIRONMENT:
            token.revoked_at, token.revoked_because = None, ""
        if before != (token.kind, token.scopes, token.revoked_because):
            token.save()
