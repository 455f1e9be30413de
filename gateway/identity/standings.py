"""The callers that a process knows, and whether each may call, at one version of rights. Values, without I/O."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from gateway import tokens
from gateway.filters import EVERYTHING, Selection
from ledger import clock


@dataclasses.dataclass(frozen=True, slots=True)
class Principal:
    """One caller. `kind` is "principal", "service" or "session"; `modules` None means all modules."""

    public_id: str
    kind: str
    name: str
    scopes: frozenset[str]
    modules: frozenset[str] | None = None
    expires_at: datetime | None = None
    # Service tokens: the only module they publish for; None publishes for any.
    publishes_for: str | None = None
    default_module: str = ""
    # Sessions: its name, the key of its row, and a value that changes with the user's password.
    session_id: str = ""
    session_row: str = ""
    generation: str = ""

    @property
    def selection(self) -> Selection:
        """All that this principal may see."""
        return EVERYTHING if self.modules is None else Selection(modules=self.modules)


class InvalidCredential(Exception):
    """The credential is not valid. `why` is for the audit; callers get the same response for every cause."""

    def __init__(self, why: str, public_id: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.public_id = public_id


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """A principal, and why it may not call ("" if it may)."""

    principal: Principal
    barred: str = ""

    def admit(self) -> Principal:
        principal = self.principal
        if self.barred:
            raise InvalidCredential(self.barred, principal.public_id)
        if principal.expires_at is not None and principal.expires_at <= clock.now():
            raise InvalidCredential("expired", principal.public_id)
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
    # When each current session ends, by the key of its row.
    session_ends: Mapping[str, datetime] = dataclasses.field(default_factory=dict)

    def with_token(self, text: str) -> Principal:
        """The principal of a token text. Raises InvalidCredential."""
        return self.with_digest(tokens.digest(text))

    def with_digest(self, digest: str) -> Principal:
        """As `with_token`, by the digest of the token's text."""
        return _admitted(self.by_digest.get(digest))

    def with_public_id(
        self, public_id: str, *, session_id: str = "", session_row: str = "", ticket_id: str = ""
    ) -> Principal:
        """The principal with this public id; of a console user, in this session. Raises InvalidCredential.

        If `session_row` is given, the session must still exist, and the principal expires with it.
        """
        if session_id in self.ended_sessions:
            raise InvalidCredential("signed out", public_id)
        if ticket_id in self.ended_tickets:
            raise InvalidCredential("ticket revoked", public_id)
        principal = _admitted(self.by_public_id.get(public_id))
        if not session_id:
            return principal
        if not session_row:
            return dataclasses.replace(principal, session_id=session_id)
        ends_at = self.session_ends.get(session_row)
        if ends_at is None:
            raise InvalidCredential("session over", public_id)
        if ends_at <= clock.now():
            raise InvalidCredential("expired", public_id)
        return dataclasses.replace(principal, session_id=session_id, session_row=session_row, expires_at=ends_at)

    def still(self, before: Principal) -> Principal:
        """As Directory.still."""
        now = self.with_public_id(before.public_id, session_id=before.session_id, session_row=before.session_row)
        if now.generation != before.generation:
            raise InvalidCredential("password changed", before.public_id)
        return now


def _admitted(standing: Standing | None) -> Principal:
    if standing is None:
        raise InvalidCredential("unknown")
    return standing.admit()
