"""Pages of the log for clients that poll: which page a query means, and waiting for the next event."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from events import log, metrics, search
from events.log import Cursor, Page
from events.search import ALL_TIME, Budget, Window
from events.stream.connections import the_connections
from events.stream.live_queries import live_queries
from events.stream.relay import the_relay
from events.stream.stream_request import CURSOR_ALIASES, FLAGS, last_event_id, read_cursor
from gateway.filters import BadFilter, Selection
from gateway.http.errors import ApiError
from gateway.shared_store.limits import LimitExceeded
from ledger import clock
from ledger.lanes import Lane
from ledger.reader import questions, searches

Query = dict[str, list[str]]
Result = TypeVar("Result")
# Of times before now.
UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class MaySee(NamedTuple):
    """What a caller may see now, and when that ends by itself."""

    selection: Selection
    expires_at: datetime | None


CURSOR_NAMES = ("last_event_id", *CURSOR_ALIASES)

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


class Asked(NamedTuple):
    """What a client asks for, beside its position: how it is to be searched."""

    who: str
    rights: Rights
    limit: int
    window: Window
    # Whether only a part of the events can pass by a query or a time, so that it may take long.
    is_search: bool

    @property
    def lane(self) -> Lane:
        return searches if self.is_search else questions

    async def run(self, read: Callable[..., Result], *args: Any, **options: Any) -> Result:
        """In the lane of its kind, within its budget."""
        began, budget = time.monotonic(), self.budget()
        result = await self.lane.run_for(self.who, read, *args, window=self.window, budget=budget, **options)
        if self.is_search:
            metrics.SEARCH_SECONDS.observe(time.monotonic() - began)
            metrics.SEARCH_ROWS.inc(budget.rows_spent)
            if not getattr(result, "complete", True):
                metrics.SEARCHES_PARTIAL.inc()
        return result

    def budget(self) -> Budget:
        return Budget.of_search(searches.waiting, searches.threads) if self.is_search else Budget()


async def page_for(query: Query, asked: Asked) -> Page:
    """The page after, before or around the position that the query names, else the newest. Raises CursorGone."""
    wait_seconds = read_number(query, "wait", 0, minimum=0, maximum=WAIT_MAX_SECONDS)
    # All are read, also those that do not count beside another: a bad value is never taken.
    since, before, at, *_ = (single(query, name) for name in ("since", "before", "at", *CURSOR_NAMES))
    # A client that follows the stream, and polls where streams do not get through, may keep the name of its cursor.
    since = since or last_event_id(query)
    after, until = (read_cursor(text) if text else None for text in (since, before))
    moment = read_moment("at", at) if at else None
    if after is not None:
        return await _read_since(after, asked, wait_seconds)
    selection = (await asked.rights()).selection
    if until is not None:
        return await asked.run(search.read_before, until, selection, limit=asked.limit)
    if moment is not None:
        return await _page_at(moment, asked)
    return await asked.run(search.read_newest, selection, limit=asked.limit)


def read_window(query: Query, first: str = "from", last: str = "to") -> Window:
    """The times between which events are asked for: `from` and `to`, ISO or -15m. Raises BadFilter, ApiError."""
    start, end = (read_time(name, text) if (text := single(query, name)) else None for name in (first, last))
    if start is not None and end is not None and start > end:
        raise BadFilter(last, f"a time after `{first}`")
    return Window(start, end)


def read_time(name: str, text: str) -> datetime:
    """An ISO time, or one before now: -30s, -15m, -24h, -7d. Raises BadFilter."""
    if not text.startswith("-"):
        return read_moment(name, text)
    number, unit = text[1:-1], UNITS.get(text[-1])
    if unit is None or not (number.isascii() and number.isdigit() and len(number) <= 6):
        raise BadFilter(name, "an ISO 8601 time, or one before now such as -30s, -15m, -24h or -7d")
    try:
        return clock.now() - int(number) * unit
    except OverflowError:
        raise BadFilter(name, "an ISO 8601 time, or one before now such as -30s, -15m, -24h or -7d") from None


def read_asked(query: Query, filters: Selection, *, who: str, rights: Rights) -> Asked:
    """Raises ApiError, BadFilter. `who` is the public id by which waiting is counted."""
    limit = read_number(query, "limit", LIMIT_DEFAULT, minimum=1, maximum=LIMIT_MAX)
    window = read_window(query)
    return Asked(who, rights, limit, window, is_search=filters.queries is not None or window != ALL_TIME)


def read_choice(query: Query, name: str, allowed: Sequence[str]) -> str:
    """One of these, the first without one. Raises ApiError, BadFilter."""
    text = single(query, name) or allowed[0]
    if text not in allowed:
        raise BadFilter(name, f"one of {', '.join(allowed)}")
    return text


def read_flag(query: Query, name: str) -> bool:
    """Raises ApiError, BadFilter."""
    text = single(query, name).lower()
    if text not in FLAGS:
        raise BadFilter(name, "true or false")
    return bool(text) and FLAGS[text]


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


async def _page_at(moment: datetime, asked: Asked) -> Page:
    return await page_around(await asked.lane.run_for(asked.who, log.cursor_at, moment), asked)


async def page_around(cursor: Cursor, asked: Asked) -> Page:
    """Half of the page up to the cursor, half after it; the page's own cursor leads on forwards. Raises CursorGone."""
    after = Cursor(cursor.epoch, cursor.seq + 1)
    selection = (await asked.rights()).selection
    earlier = await asked.run(search.read_before, after, selection, limit=asked.limit // 2)
    later = await _read_since(cursor, asked._replace(limit=asked.limit - len(earlier.entries)), 0)
    return later._replace(
        entries=earlier.entries + later.entries,
        complete=earlier.complete and later.complete,
        goes_on=earlier.goes_on or earlier.cursor,
        searched=_joined(earlier, later),
    )


def _joined(earlier: Page, later: Page) -> tuple[Cursor, Cursor] | None:
    return (earlier.searched[0], later.searched[1]) if earlier.searched and later.searched else None


async def _read_since(cursor: Cursor, asked: Asked, wait_seconds: int) -> Page:
    """Read on until there is something, the log ends or enough of it was searched; at its end wait for more, if that
    was asked for."""
    began, deadline, start = time.monotonic(), time.monotonic() + wait_seconds, cursor
    if asked.window.end is not None:
        deadline = began
    while True:
        may_see = await asked.rights()
        page = await asked.run(search.read_after, cursor, may_see.selection, limit=asked.limit)
        page = page._replace(searched=(start, page.cursor))
        at_the_end = page.caught_up or (page.complete and not page.has_more)
        if page.entries or (at_the_end and (time.monotonic() >= deadline or the_connections().draining)):
            return page
        passed = page.cursor.seq - start.seq
        if not at_the_end and (passed >= SEARCH_LIMIT_SEQS or time.monotonic() - began >= SEARCH_SECONDS):
            return page
        cursor = page.cursor
        if page.caught_up:
            with _place(asked.who, may_see.selection):
                await _wait_for_more(cursor, may_see, asked.rights, _seconds_left(deadline, may_see))
            # Events that came meanwhile begin another search, with its own limits.
            began, start = time.monotonic(), cursor


@contextlib.contextmanager
def _place(who: str, selection: Selection) -> Iterator[None]:
    """Room to wait. Raises ApiError when too many wait, LimitExceeded when too many of them are the same."""
    if _waiting.total() >= LONG_POLLS_LIMIT:
        raise ApiError("at_capacity")
    if _waiting[who] >= LONG_POLLS_LIMIT_EACH:
        raise LimitExceeded("long_polls", RETRY_AFTER_SECONDS)
    live_queries.hold(selection)
    _waiting[who] += 1
    try:
        yield
    finally:
        live_queries.release(selection)
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
