"""Console sessions in the database, under the digest of their key.

Django's own keeps the key itself, which is what the cookie holds: whoever reads a dump signs in as anybody.
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session

from gateway.identity import console_sessions
from gateway.identity.console_sessions import row_key
from gateway.identity.known_sessions import known_sessions
from ledger import clock


class SessionStore(DatabaseSessions):
    """Named as Django wants it. Whatever deletes a session ends what it opened: its tickets and its streams."""

    def _get_session_from_db(self) -> Session | None:
        if known_sessions.is_unknown(row_key(self.session_key)):
            # Found out a moment ago, with those of many others in one query.
            return self._known(None)
        session: Session | None = self._own_rows().filter(expire_date__gt=clock.now()).first()
        return self._known(session)

    async def _aget_session_from_db(self) -> Session | None:
        session: Session | None = await self._own_rows().filter(expire_date__gt=clock.now()).afirst()
        return self._known(session)

    def exists(self, session_key: str) -> bool:
        return super().exists(row_key(session_key))

    async def aexists(self, session_key: str) -> bool:
        return await super().aexists(row_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return _under_digest(super().create_model_instance(data))

    async def acreate_model_instance(self, data: dict[str, Any]) -> Session:
        return _under_digest(await super().acreate_model_instance(data))

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            self.model.objects.filter(pk=row_key(key)).delete()
            console_sessions.end(key)

    async def adelete(self, session_key: str | None = None) -> None:
        await sync_to_async(self.delete)(session_key)

    def _own_rows(self) -> Any:
        return self.model.objects.filter(pk=row_key(self.session_key))

    def _known(self, session: Session | None) -> Session | None:
        if session is None:
            # As Django's does: a key that names no session is not kept, or a caller could choose it.
            self._session_key = None
        return session


def _under_digest(session: AbstractBaseSession) -> Session:
    assert isinstance(session, Session)  # noqa: S101 - it is what get_model_class() names
    session.session_key = row_key(session.session_key)
    return session
