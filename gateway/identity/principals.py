"""Who may call: every token and operator of the database, in memory and kept up to date.

The directory is read as a whole (a system has hundreds of tokens, not millions), so that neither a valid nor an invalid
credential costs a query. Once a second the one-row RightsVersion is compared, so a change that another process made is
known within FRESH_SECONDS, without any message between the processes.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from django.contrib.auth.models import User

from gateway import tokens
from gateway.identity import console_sessions, environment_tokens
from gateway.identity.standings import InvalidCredential, Principal, Snapshot, Standing
from gateway.models import AccessToken, RightsVersion, operators
from gateway.scopes import SCOPES_OF_GROUP
from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from ledger.uptime import uptime_seconds

# Re-exported, because users of the directory need them too.
__all__ = ["Directory", "Principal", "InvalidCredential", "Snapshot", "Standing", "directory"]

logger = logging.getLogger(__name__)

# The age of rights at which they are checked again.
FRESH_SECONDS = 1.0
# Rights that were confirmed longer ago are not used while the database answers; the documents promise this. A process
# that was stopped, paused or suspended also checks before it continues.
RIGHTS_LIMIT_SECONDS = 2.0
# An unknown token may have been issued a moment ago, so rights are checked again; but not more often than this, so that
# a flood of guesses costs ten small queries a second and not one for each guess.
MISS_FRESH_SECONDS = 0.1
# Not every change of a row raises the version (User.objects.update() does not), so all rows are read again so often.
REREAD_SECONDS = 15.0
# How long a caller waits for a check while the rights in memory may still be used. It must be short: the caller will
# wait for the slow database again when it reads or writes, and a response is promised within two seconds.
CHECK_WAIT_SECONDS = 0.25
# How long a caller waits when they may not be used, and the database does not answer; and how often it tries while the
# event loop is slow.
PATIENCE_SECONDS = 1.5
CHECKS_LIMIT = 5
# How old rights may be while the database does not answer; after that, callers get 503.
STALE_LIMIT_SECONDS = 20.0
# A database that has not answered a check in this time counts as not answering.
ANSWER_SECONDS = 1.0
# No check takes longer than this. If one did, this process was suspended, and that says nothing about the database.
LONGEST_CHECK_SECONDS = 2.2
# How long a database counts as not answering: until the next check, which begins up to two seconds after a failed one.
SILENCE_SECONDS = 5.0


class Directory:
    """The current snapshot, and the one task at a time that renews it."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._checked_at = self._confirmed_at = self._read_at = self._silent_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def holder_of(self, text: str) -> Principal:
        """The principal of a token text. Raises InvalidCredential, LedgerUnavailable."""
        snapshot = await self.current()
        if tokens.digest(text) not in snapshot.by_digest:
            snapshot = await self._after_miss()
        return snapshot.with_token(text)

    def recognised(self, text: str) -> str:
        """The public id of the holder of a token, by the rights in memory; "" for an unknown or invalid token.

        It never waits, so a token that was just issued is recognised only at a later call, and rights may be old. Use
        it to assign shares of a resource, not to decide who may call.
        """
        return self.recognised_digest(tokens.digest(text))

    def recognised_digest(self, digest: str) -> str:
        """As `recognised`, by the digest of the token's text."""
        snapshot = self._snapshot
        if snapshot is None or digest not in snapshot.by_digest:
            self._renew_soon()
            return ""
        try:
            return snapshot.with_digest(digest).public_id
        except InvalidCredential:
            return ""

    async def user_in_session(self, user: User, session_key: str | None) -> Principal:
        """The principal of a console user as the database has it now. Raises InvalidCredential, LedgerUnavailable."""
        public_id = console_sessions.principal_id(user.pk)
        known = (await self.current()).by_public_id.get(public_id)
        if known is not None and known.principal.generation != console_sessions.generation(user):
            # The password was changed after the rights in memory were read.
            await self._checked_since(uptime_seconds())
        return await self.named(
            public_id,
            session_id=console_sessions.session_id(session_key),
            session_row=console_sessions.row_key(session_key),
        )

    async def named(
        self, public_id: str, *, session_id: str = "", session_row: str = "", ticket_id: str = ""
    ) -> Principal:
        """As Snapshot.with_public_id; reads rights again for a principal or a session that is not in memory yet.

        Who is named has a ticket or a session that was found, perhaps made a moment ago by another process: so, other
        than for a token that may be a guess, what was read before the call does not count.
        """
        asked_at = uptime_seconds()
        snapshot = await self.current()
        if public_id not in snapshot.by_public_id or (session_row and session_row not in snapshot.session_ends):
            snapshot = await self._checked_since(asked_at)
        return snapshot.with_public_id(public_id, session_id=session_id, session_row=session_row, ticket_id=ticket_id)

    async def still(self, principal: Principal) -> Principal:
        """The same principal with its current rights. Raises InvalidCredential if it would not be admitted any more,
        LedgerUnavailable.
        """
        return (await self.current()).still(principal)

    @property
    def known(self) -> Snapshot | None:
        """The snapshot that was read last, however old."""
        return self._snapshot

    @property
    def good_until(self) -> float:
        """Until when, in uptime_seconds(), the current snapshot may be used."""
        limit = self._confirmed_at + RIGHTS_LIMIT_SECONDS
        silence_ends = min(self._silent_at + SILENCE_SECONDS, self._confirmed_at + STALE_LIMIT_SECONDS)
        return min(max(limit, silence_ends), self._confirmed_at + STALE_LIMIT_SECONDS)

    async def current(self, *, fresh_seconds: float | None = None) -> Snapshot:
        """The rights of all callers, checked at most `fresh_seconds` ago (FRESH_SECONDS if None).

        Raises LedgerUnavailable.
        """
        age_limit_seconds = FRESH_SECONDS if fresh_seconds is None else fresh_seconds
        if self._snapshot is None:
            await self._renewed()
        elif self._age_seconds >= age_limit_seconds and self._renewal is None:
            # One caller waits, for a short time. The others go on with the rights in memory, and so does this one
            # later.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_WAIT_SECONDS):
                    await self._renewed()
        # But none with rights that are older than promised. A check that was running while the process was suspended
        # does not count, because it says nothing about the time of the suspension; the next one does. When a thousand
        # callers come at once, the last one runs so late that even the check made for it may be outdated: so try again.
        until = uptime_seconds() + PATIENCE_SECONDS
        for _ in range(CHECKS_LIMIT):
            if self._snapshot is None or uptime_seconds() < self.good_until:
                break
            confirmed_at = self._confirmed_at
            await self._renewed()
            if self._confirmed_at == confirmed_at and uptime_seconds() >= until:
                break
        return self._trusted()

    async def _after_miss(self) -> Snapshot:
        """Rights that are checked again, for a token that is not in memory. Raises LedgerUnavailable."""
        if self._renewal is not None:
            await self._renewed()
        if self._age_seconds >= MISS_FRESH_SECONDS:
            await self._renewed()
        return self._confirmed()

    async def _checked_since(self, moment: float) -> Snapshot:
        """Rights as they were then or later. Raises LedgerUnavailable."""
        if self._renewal is not None:
            await self._renewed()
        if self._confirmed_at < moment:
            await self._renewed()
        return self._confirmed()

    def _confirmed(self) -> Snapshot:
        if self._confirmed_at < self._checked_at:
            # While the database does not answer, an unknown caller gets a 503 and not a 401.
            raise LedgerUnavailable("rights cannot be checked")
        return self._trusted()

    async def _renewed(self) -> None:
        """Wait for the running renewal, or for a new one. It continues for others when this caller is cancelled."""
        await asyncio.shield(self._begun_renewal())

    def _renew_soon(self) -> None:
        if self._age_seconds >= MISS_FRESH_SECONDS:
            self._begun_renewal()

    def _begun_renewal(self) -> "asyncio.Task[None]":
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewal_ended)
        return self._renewal

    def _renewal_ended(self, renewal: "asyncio.Task[None]") -> None:
        self._renewal = None
        if not renewal.cancelled() and (error := renewal.exception()):
            logger.error("rights could not be read", exc_info=error)

    @property
    def _age_seconds(self) -> float:
        return uptime_seconds() - self._checked_at

    def _trusted(self) -> Snapshot:
        if self._snapshot is None or uptime_seconds() >= self.good_until:
            raise LedgerUnavailable("rights cannot be read")
        return self._snapshot

    def expire(self) -> None:
        """Rights have changed: the next caller reads them again."""
        self._checked_at = float("-inf")

    async def _renew(self) -> None:
        started = self._checked_at = uptime_seconds()
        silence = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._note_silence, started)
        try:
            again = started - self._read_at >= REREAD_SECONDS
            asked_at, self._snapshot = await reader.run(_read_now, self._snapshot, again=again)
            self._read_at = started if again else self._read_at
            self._confirmed_at, self._silent_at = asked_at, float("-inf")
        except LedgerUnavailable as error:
            logger.warning("rights could not be checked: %s", error)
            self._checked_at = uptime_seconds()
            self._note_silence(started)
        finally:
            silence.cancel()

    def _note_silence(self, started: float) -> None:
        """The check that started then got no answer: the snapshot stays usable for longer, unless this process was
        suspended itself.
        """
        now = uptime_seconds()
        if now - started <= LONGEST_CHECK_SECONDS:
            self._silent_at = now


def _read_now(known: Snapshot | None, *, again: bool) -> tuple[float, Snapshot]:
    """The time of the query, in uptime_seconds(), and its result. A busy loop may have asked long before that time."""
    return uptime_seconds(), _read(known, again=again)


def _read(known: Snapshot | None, *, again: bool = False) -> Snapshot:
    if known is None:
        environment_tokens.the_holding.register()
    return read_rights(known, again=again)


def read_rights(known: Snapshot | None, *, again: bool = False) -> Snapshot:
    """The current snapshot, or `known` itself if no right has changed. `again`: compare all rows, not only the
    version. For threads that are not the event loop's.
    """
    # The version is read before the rows: after a change in between, the next check reads them again.
    version = RightsVersion.current()
    if known is not None and known.version == version and not again:
        return known
    by_digest: dict[str, Standing] = {}
    by_public_id: dict[str, Standing] = {}
    for token in AccessToken.objects.select_related("user"):
        standing = _standing_of_token(token)
        by_digest[token.digest] = by_public_id[token.public_id] = standing
    for user in operators():
        groups = [group.name for group in user.groups.all()]
        principal = Principal(
            public_id=console_sessions.principal_id(user.pk),
            kind="session",
            name=user.get_username(),
            scopes=scopes_of_groups(groups, superuser=user.is_superuser),
            generation=console_sessions.generation(user),
        )
        by_public_id[principal.public_id] = Standing(principal, "" if user.is_active else "user disabled")
    ended = (console_sessions.ended(), console_sessions.ended_streams(), console_sessions.ended_tickets())
    snapshot = Snapshot(version, by_digest, by_public_id, *ended, console_sessions.ends())
    return known if known == snapshot else snapshot


def scopes_of_groups(groups: Iterable[str], *, superuser: bool = False) -> frozenset[str]:
    if superuser:
        return SCOPES_OF_GROUP["administrator"]
    return frozenset().union(*(SCOPES_OF_GROUP.get(name, frozenset()) for name in groups))


def _standing_of_token(token: AccessToken) -> Standing:
    modules = frozenset(token.modules)
    service = token.kind == AccessToken.Kind.SERVICE
    principal = Principal(
        public_id=token.public_id,
        kind=token.kind,
        name=token.name,
        scopes=frozenset(token.scopes),
        modules=modules if modules and not service else None,
        expires_at=token.expires_at,
        publishes_for=(token.module or None) if service else None,
        default_module=token.module or "operator_backend",
    )
    if token.revoked_at is not None:
        return Standing(principal, "revoked")
    disabled = token.user is not None and not token.user.is_active
    return Standing(principal, "user disabled" if disabled else "")


directory = Directory()
