"""Console sessions in the database, under the digest of their key.

Django's own store keeps the key itself, as the cookie holds it: a reader of a database dump could sign in as any user.
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session

from gateway.identity import console_sessions, proxy_users
from gateway.identity.console_sessions import row_key
from gateway.identity.known_sessions import known_sessions
from ledger import clock


class SessionStore(DatabaseSessions):
    """Django requires this name. Deleting a session also ends its tickets and streams."""

    def _get_session_from_db(self) -> Session | None:
        if known_sessions.is_unknown(row_key(self.session_key)):
            # A query for many cookies has found a moment ago that there is no such session.
            return self._known(None)
        session: Session | None = self._own_rows().filter(expire_date__gt=clock.now()).first()
        return self._known(session)

    async def _aget_session_from_db(self) -> Session | None:
        session: Session | None = await self._own_rows().filter(expire_date__gt=clock.now()).afirst()
        return self._known(session)

    def get_session_cookie_age(self) -> int:
        """Seconds; a session that a proxy vouches for ends soon after the proxy's last request in it."""
        if settings.PROXY_SIGN_IN is not None and proxy_users.is_of_proxy(self):
            return int(settings.PROXY_SIGN_IN.session_seconds)
        return int(super().get_session_cookie_age())

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
            # As in Django: a key that names no session is dropped, so that a caller cannot choose the key of a new one.
            self._session_key = None
        return session


def _under_digest(session: AbstractBaseSession) -> Session:
    assert isinstance(session, Session)  # noqa: S101 - it is what get_model_class() names
    session.session_key = row_key(session.session_key)
    return session
