"""Pages of the log for clients that poll: which page a query means, and waiting for the next event."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from events import log
from events.log import Cursor, Page
from events.stream.connections import the_connections
from events.stream.relay import the_relay
from events.stream.stream_request import read_cursor
from gateway.filters import BadFilter, Selection
from gateway.http.errors import ApiError
from gateway.shared_store.limits import LimitExceeded
from ledger import clock
from ledger.reader import questions

Query = dict[str, list[str]]


class MaySee(NamedTuple):
    """What a caller may see now, and when that ends by itself."""

    selection: Selection
    expires_at: datetime | None


# Called again after every wait. Raises ApiError when the caller may see nothing any more.
Rights = Callable[[], Awaitable[MaySee]]

LIMIT_DEFAULT, LIMIT_MAX = 10, 500
WAIT_MAX_SECONDS = 25
# Long polls of one process that may wait at a time; more are refused and may retry.
LONG_POLLS_LIMIT = 1_000
# Of one principal, so that others find a place. In practice all browsers of a site share a token.
LONG_POLLS_LIMIT_EACH = 500
RETRY_AFTER_SECONDS = 2
# A search forwards that found nothing in so much of the log, or for so long, answers how far it came.
SEARCH_LIMIT_SEQS = 50_000
SEARCH_SECONDS = 0.5
# A wait for the end of rights must not end before them.
EXPIRY_SLACK_SECONDS = 0.01

# How many long polls wait in this process, by principal.
_waiting: Counter[str] = Counter()


async def page_for(query: Query, rights: Rights, *, limit: int, who: str) -> Page:
    """The page after, before or around the position that the query names, else the newest. Raises CursorGone.

    `who` is the public id by which waiting is counted.
    """
    wait_seconds = read_number(query, "wait", 0, minimum=0, maximum=WAIT_MAX_SECONDS)
    # All are read, also those that do not count beside another: a bad value is never taken.
    since, before, at = (single(query, name) for name in ("since", "before", "at"))
    after, until = (read_cursor(text) if text else None for text in (since, before))
    moment = read_moment("at", at) if at else None
    if after is not None:
        return await _read_since(after, rights, limit, wait_seconds, who)
    if until is not None:
        return await questions.run_for(who, log.read_before, until, (await rights()).selection, limit=limit)
    if moment is not None:
        return await _page_around(moment, rights, limit, who)
    return await questions.run_for(who, log.read_newest, (await rights()).selection, limit=limit)


def read_limit(query: Query) -> int:
    return read_number(query, "limit", LIMIT_DEFAULT, minimum=1, maximum=LIMIT_MAX)


def single(query: Query, name: str) -> str:
    """The value of a parameter that may stand once, "" without one. Raises ApiError."""
    values = query.get(name, [""])
    if len(values) > 1:
        raise ApiError("duplicate_parameter", title=f"{name} may stand once.")
    return values[0]


def read_number(query: Query, name: str, default: int, *, minimum: int, maximum: int) -> int:
    """A whole number of the query. Raises BadFilter."""
    text = single(query, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and minimum <= int(text) <= maximum):
        raise BadFilter(name, f"a whole number from {minimum} to {maximum}")
    return int(text)


def read_moment(name: str, text: str) -> datetime:
    """An ISO time of the query, UTC unless it has an offset. Raises BadFilter."""
    try:
        # In a query, the + of an offset arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadFilter(name, "an ISO 8601 time") from None


async def _page_around(moment: datetime, rights: Rights, limit: int, who: str) -> Page:
    """Half of the page before the moment, half from it on; the cursor leads on forwards."""
    cursor = await questions.run_for(who, log.cursor_at, moment)
    after = Cursor(cursor.epoch, cursor.seq + 1)
    selection = (await rights()).selection
    earlier = await questions.run_for(who, log.read_before, after, selection, limit=limit // 2)
    later = await _read_since(cursor, rights, limit - len(earlier.entries), 0, who)
    return later._replace(
        entries=earlier.entries + later.entries,
        complete=earlier.complete and later.complete,
        goes_on=earlier.goes_on or earlier.cursor,
        searched=_joined(earlier, later),
    )


def _joined(earlier: Page, later: Page) -> tuple[Cursor, Cursor] | None:
    return (earlier.searched[0], later.searched[1]) if earlier.searched and later.searched else None


async def _read_since(cursor: Cursor, rights: Rights, limit: int, wait_seconds: int, who: str) -> Page:
    """Read on until there is something, the log ends or enough of it was searched; at its end wait for more, if that
    was asked for."""
    began, deadline, start = time.monotonic(), time.monotonic() + wait_seconds, cursor
    while True:
        may_see = await rights()
        page = await questions.run_for(who, log.read_after, cursor, may_see.selection, limit=limit)
        page = page._replace(searched=(start, page.cursor))
        if page.entries or (page.caught_up and (time.monotonic() >= deadline or the_connections().draining)):
            return page
        passed = page.cursor.seq - start.seq
        if not page.caught_up and (passed >= SEARCH_LIMIT_SEQS or time.monotonic() - began >= SEARCH_SECONDS):
            return page
        cursor = page.cursor
        if page.caught_up:
            with _place(who):
                await _wait_for_more(cursor, may_see, rights, _seconds_left(deadline, may_see))
            # Events that came meanwhile begin another search, with its own limits.
            began, start = time.monotonic(), cursor


@contextlib.contextmanager
def _place(who: str) -> Iterator[None]:
    """Room to wait. Raises ApiError when too many wait, LimitExceeded when too many of them are the same."""
    if _waiting.total() >= LONG_POLLS_LIMIT:
        raise ApiError("at_capacity")
    if _waiting[who] >= LONG_POLLS_LIMIT_EACH:
        raise LimitExceeded("long_polls", RETRY_AFTER_SECONDS)
    _waiting[who] += 1
    try:
        yield
    finally:
        _waiting[who] -= 1
        if not _waiting[who]:
            del _waiting[who]


def _seconds_left(deadline: float, may_see: MaySee) -> float:
    """For waiting: not beyond the end of the rights, for then there is another answer."""
    seconds = deadline - time.monotonic()
    if may_see.expires_at is not None:
        seconds = min(seconds, (may_see.expires_at - clock.now()).total_seconds() + EXPIRY_SLACK_SECONDS)
    return max(0.0, seconds)


async def _wait_for_more(cursor: Cursor, may_see: MaySee, rights: Rights, seconds: float) -> None:
    """Until there is something after the cursor that may be seen, or rights change, or the time is over."""
    relay = the_relay()
    await relay.start()
    hub = relay.hub
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if hub.epoch != cursor.epoch:
                # The log has a new epoch and the hub does not know it yet.
                relay.nudge()
                await hub.advanced()
                return
            while not the_connections().draining and await rights() == may_see:
                if hub.seq < cursor.seq:
                    await hub.advanced()
                    continue
                matching, reached = hub.recall(cursor, may_see.selection)
                if matching or reached is None:
                    return
                # The database need not be asked about what does not match.
                cursor = reached
                await hub.matched(may_see.selection)
