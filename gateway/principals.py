"""Who may call: every token and operator of the database, held in memory and kept fresh.

The directory is read whole (a system has hundreds of tokens, not millions), so that neither a good nor a bad
credential costs a query. Once a second the one-row RightsVersion is compared; a change made in another
process, by whatever means, is thus known within FRESH_SECONDS even when nobody tells us.
"""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterable
from datetime import datetime

from gateway import environment_tokens, sessions, tokens
from gateway.filters import EVERYTHING, Selection
from gateway.models import AccessToken, RightsVersion, operators
from gateway.scopes import SCOPES_OF_GROUP
from ledger import clock
from ledger.faults import LedgerUnavailable
from ledger.reader import reader

logger = logging.getLogger(__name__)

# How old the knowledge of rights may be while the database answers.
FRESH_SECONDS = 1.0
# A token that is not known may be a moment old: then rights are checked again, but so often at the most, so that
# a flood of guesses costs ten small queries a second and not one for each.
MISS_FRESH_SECONDS = 0.1
# Not every way of changing a row raises the version (User.objects.update() does not), so all is read anew so often.
REREAD_SECONDS = 15.0
# How long a caller waits for that check when it could go on with what is known: the database that is slow now will be
# waited for again when the caller reads or writes, and an answer is promised within two seconds.
CHECK_WAIT_SECONDS = 0.25
# How old it may be while the database does not; after that, callers get 503 instead of old rights.
STALE_LIMIT_SECONDS = 20.0


@dataclasses.dataclass(frozen=True, slots=True)
class Principal:
    """One caller. `kind` is "principal", "service" or "session"; `modules` None means all of them."""

    public_id: str
    kind: str
    name: str
    scopes: frozenset[str]
    modules: frozenset[str] | None = None
    expires_at: datetime | None = None
    # Service tokens: the only module they publish for; None publishes for any.
    publishes_for: str | None = None
    default_module: str = ""
    # Sessions: which one, and a mark that changes with the user's password.
    session_id: str = ""
    generation: str = ""

    @property
    def selection(self) -> Selection:
        """All that this principal may see."""
        return EVERYTHING if self.modules is None else Selection(modules=self.modules)


class Refused(Exception):
    """The credential is not valid now. `why` is for our logs; callers are told the same for every reason."""

    def __init__(self, why: str, public_id: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.public_id = public_id


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """A principal and why it may not call, if so ("" while it may)."""

    principal: Principal
    barred: str = ""

    def admit(self) -> Principal:
        principal = self.principal
        if self.barred:
            raise Refused(self.barred, principal.public_id)
        if principal.expires_at is not None and principal.expires_at <= clock.now():
            raise Refused("expired", principal.public_id)
        return principal


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """All standings at one version of rights."""

    version: int
    by_digest: dict[str, Standing]
    by_public_id: dict[str, Standing]
    ended_sessions: frozenset[str] = frozenset()
    # Ended by an administrator.
    ended_streams: frozenset[str] = frozenset()
    ended_tickets: frozenset[str] = frozenset()

    def with_token(self, text: str) -> Principal:
        """The principal of a token text. Raises Refused."""
        return _admitted(self.by_digest.get(tokens.digest(text)))

    def with_public_id(self, public_id: str, *, session_id: str = "", ticket_id: str = "") -> Principal:
        """The principal with this public id, in this session if it is a console user's. Raises Refused."""
        if session_id in self.ended_sessions:
            raise Refused("signed out", public_id)
        if ticket_id in self.ended_tickets:
            raise Refused("ticket revoked", public_id)
        principal = _admitted(self.by_public_id.get(public_id))
        return dataclasses.replace(principal, session_id=session_id) if session_id else principal


class Directory:
    """The current snapshot, and the one task at a time that renews it."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._checked_at = self._confirmed_at = self._read_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def holder_of(self, text: str) -> Principal:
        """The principal of a token text. Raises Refused, LedgerUnavailable."""
        snapshot = await self.current()
        if tokens.digest(text) not in snapshot.by_digest:
            snapshot = await self._after_miss()
        return snapshot.with_token(text)

    async def user_in_session(self, user_id: int, session_key: str | None) -> Principal:
        """The principal of a console user. Raises Refused, LedgerUnavailable."""
        return await self.named(sessions.principal_id(user_id), session_id=sessions.session_id(session_key))

    async def named(self, public_id: str, *, session_id: str = "", ticket_id: str = "") -> Principal:
        """As Snapshot.with_public_id, for a principal that another process may have met first."""
        snapshot = await self.current()
        if public_id not in snapshot.by_public_id:
            snapshot = await self._after_miss()
        return snapshot.with_public_id(public_id, session_id=session_id, ticket_id=ticket_id)

    async def current(self) -> Snapshot:
        """Everybody's rights, at most FRESH_SECONDS old. Raises LedgerUnavailable."""
        if self._snapshot is None:
            await self._renewed()
        elif self._age_seconds >= FRESH_SECONDS and self._renewal is None:
            # One caller waits, and not for long: the others, and after that this one too, go on with what is known.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_WAIT_SECONDS):
                    await self._renewed()
        return self._trusted()

    async def _after_miss(self) -> Snapshot:
        """Rights as they are now: who is not known may have come a moment ago. Raises LedgerUnavailable."""
        if self._renewal is not None:
            await self._renewed()
        if self._age_seconds >= MISS_FRESH_SECONDS:
            await self._renewed()
        if self._confirmed_at < self._checked_at:
            # Nobody may be called unknown because the database cannot be asked.
            raise LedgerUnavailable("rights cannot be checked")
        return self._trusted()

    async def _renewed(self) -> None:
        """Wait for the renewal that is under way, or for a new one. It goes on for others when this caller leaves."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewal_ended)
        await asyncio.shield(self._renewal)

    def _renewal_ended(self, renewal: "asyncio.Task[None]") -> None:
        self._renewal = None
        if not renewal.cancelled() and (error := renewal.exception()):
            logger.error("rights could not be read", exc_info=error)

    @property
    def _age_seconds(self) -> float:
        return time.monotonic() - self._checked_at

    def _trusted(self) -> Snapshot:
        if self._snapshot is None or time.monotonic() - self._confirmed_at > STALE_LIMIT_SECONDS:
            raise LedgerUnavailable("rights cannot be read")
        return self._snapshot

    def expire(self) -> None:
        """Rights have changed: the next caller reads them again."""
        self._checked_at = float("-inf")

    def forget(self) -> None:
        """Start anew, as a process that has just begun."""
        self.__init__()  # type: ignore[misc]  # the one place that resets, so no attribute can be left out

    async def _renew(self) -> None:
        started = self._checked_at = time.monotonic()
        try:
            again = started - self._read_at >= REREAD_SECONDS
            self._snapshot = await reader.run(_read, self._snapshot, again=again)
            self._read_at = started if again else self._read_at
            self._confirmed_at = started
        except LedgerUnavailable as error:
            logger.warning("rights could not be checked: %s", error)
            self._checked_at = time.monotonic()


def _read(known: Snapshot | None, *, again: bool = False) -> Snapshot:
    """The snapshot of now, or the known one if no right has changed since; `again` looks at more than the version."""
    if known is None:
        environment_tokens.register()
    # The version is read before the rows: a change in between makes the next check read them again.
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
            public_id=sessions.principal_id(user.pk),
            kind="session",
            name=user.get_username(),
            scopes=scopes_of_groups(groups, superuser=user.is_superuser),
            generation=sessions.generation(user),
        )
        by_public_id[principal.public_id] = Standing(principal, "" if user.is_active else "user disabled")
    ended = (sessions.ended(), sessions.ended_streams(), sessions.ended_tickets())
    snapshot = Snapshot(version, by_digest, by_public_id, *ended)
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


def _admitted(standing: Standing | None) -> Principal:
    if standing is None:
        raise Refused("unknown")
    return standing.admit()


directory = Directory()
