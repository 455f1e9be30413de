"""Whether a cookie names a session, checked before the request gets any resources.

One query checks many cookies, and only one query runs at a time: a made-up cookie costs its part of that and no more.
Results are cached for a short time. Whose session it is, and whether it is still valid, is checked when the request is
served.
"""

import asyncio
import re
import time
from collections.abc import Iterable

from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import parse_cookie

from gateway.identity.console_sessions import row_key
from ledger import clock
from ledger.faults import LedgerBusy, LedgerUnavailable
from ledger.reader import reader

# Long, because a cached "exists" only lets the request in, and the session itself is checked later.
KNOWN_SECONDS = 60.0
# Short, because a session may be created at any time, though not under a key that was sent before.
UNKNOWN_SECONDS = 1.0
REMEMBERED_LIMIT = 10_000
# In one query; other keys wait for the next.
QUERY_LIMIT_KEYS = 500
WAITING_LIMIT_KEYS = 5_000
# The form of Django's keys. Other keys were never given out, and are not looked up.
_KEY = re.compile(r"[0-9a-z]{32}", re.ASCII)

# A result that is out of date.
_NEVER_ASKED = (False, 0.0)


def session_key_of(raw: Iterable[tuple[bytes, bytes]]) -> str:
    """The session key in a request's cookie, "" if it cannot be one."""
    cookies = "; ".join(value.decode("latin-1") for name, value in raw if name == b"cookie")
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "") if cookies else ""
    return key if _KEY.fullmatch(key) else ""


class KnownSessions:
    """The cache of one process. `is_unknown` may be called from any thread, all else from the event loop."""

    def __init__(self) -> None:
        # By row key: whether the session exists, and until when that result is used. Oldest first.
        self._found: dict[str, tuple[bool, float]] = {}
        self._pending: dict[str, asyncio.Future[bool | None]] = {}
        self._querying: asyncio.Task[None] | None = None

    async def has(self, session_key: str) -> bool:
        """Whether there is such a session. Raises LedgerUnavailable."""
        key = row_key(session_key)
        found, until = self._found.get(key, _NEVER_ASKED)
        if time.monotonic() < until:
            return found
        if len(self._pending) >= WAITING_LIMIT_KEYS:
            raise LedgerBusy("too many cookies wait to be checked")
        loop = asyncio.get_running_loop()
        if self._querying is None or self._querying.done() or self._querying.get_loop() is not loop:
            self._pending = {}
            self._querying = loop.create_task(self._query_pending())
        exists = await asyncio.shield(self._pending.setdefault(key, loop.create_future()))
        if exists is None:
            raise LedgerUnavailable("sessions cannot be read")
        return exists

    def is_unknown(self, key: str) -> bool:
        """Whether a query has found, within UNKNOWN_SECONDS, that no row has this key."""
        found, until = self._found.get(key, _NEVER_ASKED)
        return not found and time.monotonic() < until

    async def _query_pending(self) -> None:
        # Requests that came in the same turn of the loop share a query.
        await asyncio.sleep(0)
        while self._pending:
            batch = {key: self._pending[key] for key in list(self._pending)[:QUERY_LIMIT_KEYS]}
            existing: frozenset[str] | None = None
            try:
                existing = await reader.run(_existing, list(batch))
            except LedgerUnavailable:
                pass
            finally:
                for key, future in batch.items():
                    del self._pending[key]
                    self._resolve(key, future, existing)

    def _resolve(self, key: str, future: "asyncio.Future[bool | None]", existing: frozenset[str] | None) -> None:
        found = None if existing is None else key in existing
        if found is not None:
            self._remember(key, found=found)
        if not future.done():
            future.set_result(found)

    def _remember(self, key: str, *, found: bool) -> None:
        self._found.pop(key, None)
        if len(self._found) >= REMEMBERED_LIMIT:
            del self._found[next(iter(self._found))]
        self._found[key] = found, time.monotonic() + (KNOWN_SECONDS if found else UNKNOWN_SECONDS)


def _existing(keys: list[str]) -> frozenset[str]:
    rows = Session.objects.filter(pk__in=keys, expire_date__gt=clock.now())
    return frozenset(rows.values_list("pk", flat=True))


known_sessions = KnownSessions()
