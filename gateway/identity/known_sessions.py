"""Whether a cookie names a session, before anything is done for who brings it.

Many are asked of the database in one query, and one query at a time, whatever is sent: a made-up cookie costs its part
of that and no more. What was found is remembered for a moment; whose session it is, and whether it still holds, is
looked at when the request is served.
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

# One that is there is only let in to be looked at.
KNOWN_SECONDS = 60.0
# One that is not may be made at any time, though not under a key that was sent before.
UNKNOWN_SECONDS = 1.0
REMEMBERED_LIMIT = 10_000
# In one query; more wait for the next.
QUERY_LIMIT_KEYS = 500
WAITING_LIMIT_KEYS = 5_000
# As Django makes them. Others were never given out, and are not looked for.
_KEY = re.compile(r"[0-9a-z]{32}", re.ASCII)


def session_key_of(raw: Iterable[tuple[bytes, bytes]]) -> str:
    """The key that a request's cookie brings, "" if it cannot be one."""
    cookies = "; ".join(value.decode("latin-1") for name, value in raw if name == b"cookie")
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "") if cookies else ""
    return key if _KEY.fullmatch(key) else ""


class KnownSessions:
    """What one process has found out. `is_unknown` is for any thread, the rest for the event loop."""

    def __init__(self) -> None:
        # By row key: whether it is there, and until when that counts. Oldest first.
        self._found: dict[str, tuple[bool, float]] = {}
        self._asked: dict[str, asyncio.Future[bool | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def has(self, session_key: str) -> bool:
        """Whether there is such a session. Raises LedgerUnavailable."""
        key = row_key(session_key)
        found, until = self._found.get(key, (False, 0.0))
        if time.monotonic() < until:
            return found
        if len(self._asked) >= WAITING_LIMIT_KEYS:
            raise LedgerBusy("too many cookies are looked at")
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking.done() or self._asking.get_loop() is not loop:
            self._asked = {}
            self._asking = loop.create_task(self._ask_all())
        answer = await asyncio.shield(self._asked.setdefault(key, loop.create_future()))
        if answer is None:
            raise LedgerUnavailable("sessions cannot be read")
        return answer

    def is_unknown(self, key: str) -> bool:
        """Whether it was found a moment ago that no row has this key."""
        found, until = self._found.get(key, (True, 0.0))
        return not found and time.monotonic() < until

    def forget(self) -> None:
        self._found.clear()

    async def _ask_all(self) -> None:
        # Those who came in the same turn of the loop share a query.
        await asyncio.sleep(0)
        while self._asked:
            asked = {key: self._asked[key] for key in list(self._asked)[:QUERY_LIMIT_KEYS]}
            there: frozenset[str] | None = None
            try:
                there = await reader.run(_existing, list(asked))
            except LedgerUnavailable:
                pass
            finally:
                for key, future in asked.items():
                    del self._asked[key]
                    self._resolve(key, future, there)

    def _resolve(self, key: str, future: "asyncio.Future[bool | None]", there: frozenset[str] | None) -> None:
        found = None if there is None else key in there
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
