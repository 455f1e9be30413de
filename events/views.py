"""events: publish and poll; events/stats: counts over time."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema

from events import log, metrics, schema
from events.admission import accepts_event_stream, read_cursor, read_filters
from events.cursors import Cursor, CursorGone
from events.entries import timestamp
from events.log import Appended, IdempotencyConflict, Page
from events.publishing import publish, read_submission
from events.relay import the_relay
from gateway import headers
from gateway.errors import Refusal
from gateway.filters import SEVERITIES, BadFilter, Selection
from gateway.rest import Endpoint, answer
from gateway.views import json_body
from ledger.reader import reader

LIMIT_DEFAULT, LIMIT_MOST = 10, 500
WAIT_MOST_SECONDS = 25
# Long polls of one process that may wait at a time; more are told to come back.
LONG_POLLS_LIMIT = 1_000
STATS_MOST_SECONDS = 86_400
STATS_MOST_BUCKETS = 1_000

_waiting = 0


class EventsView(Endpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "events:read", "POST": "events:publish"}
    kinds = frozenset({"principal", "session", "service"})

    @extend_schema(
        request=schema.Publication, responses={201: schema.Published, 200: schema.Published}, operation_id="publish"
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Publish one event, or up to 500 in `events`. 201 means durable; the same again is 200 with the same ids."""
        body = json_body(request)
        key = request.headers.get("Idempotency-Key")
        submission = read_submission(body, self.principal, correlation_id=self.caller.correlation_id, key=key)
        try:
            appended = await publish(submission)
        except IdempotencyConflict:
            raise Refusal("idempotency_conflict") from None
        metrics.EVENTS_PUBLISHED.inc(len(appended.ids) if appended.created else 0)
        return answer(_published(appended, batch="events" in body), 201 if appended.created else 200)

    @extend_schema(parameters=schema.POLL_PARAMETERS, responses=schema.EventPage, operation_id="poll")
    async def get(self, request: HttpRequest) -> HttpResponseBase:
        """Events after, before or around a position; without one, the newest. Always oldest first."""
        _refuse_stream_accept(request)
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        asked = read_filters(query)
        if asked.exceeds(self.principal.selection):
            raise Refusal("insufficient_scope", title="The token does not carry the right to see these modules.")
        selection = self.principal.selection & asked
        limit = read_number(query, "limit", LIMIT_DEFAULT, least=1, most=LIMIT_MOST)
        wait_seconds = read_number(query, "wait", 0, least=0, most=WAIT_MOST_SECONDS)
        try:
            page, has_more = await _page(query, selection, limit, wait_seconds)
        except CursorGone as gone:
            head = gone.head
            extra = {"reset": gone.reset, "oldest": str(head.oldest), "newest": str(head.newest)}
            raise Refusal("cursor_expired", extra=extra) from None
        total = await reader.run(log.count, selection)
        return answer(
            {
                "events": [orjson.Fragment(entry.body) for entry in page.entries],
                "total": total,
                "limit": limit,
                "cursor": str(page.cursor),
                "has_more": has_more,
            }
        )


class StatsView(Endpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "events:read"}

    @extend_schema(parameters=schema.STATS_PARAMETERS, responses=schema.Stats, operation_id="event_stats")
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Counts per bucket of time and severity, for the last `seconds`."""
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        seconds = read_number(query, "seconds", 900, least=1, most=STATS_MOST_SECONDS)
        bucket_seconds = read_number(query, "bucket", 5, least=1, most=3600)
        if seconds / bucket_seconds > STATS_MOST_BUCKETS:
            raise BadFilter("bucket", f"at most {STATS_MOST_BUCKETS} buckets; take a larger one")
        selection = self.principal.selection & read_filters(query)
        # Buckets begin at whole multiples, so that two readers see the same ones.
        first = int(time.time() - seconds) // bucket_seconds * bucket_seconds
        since = datetime.fromtimestamp(first, UTC)
        counts = await reader.run(log.count_by_time, selection, since=since, bucket_seconds=bucket_seconds)
        last = int((timezone.now() - since).total_seconds() // bucket_seconds)
        buckets = [
            {
                "start": timestamp(since + timedelta(seconds=index * bucket_seconds)),
                **{severity: counts.get((index, severity), 0) for severity in SEVERITIES},
            }
            for index in range(last + 1)
        ]
        return answer({"seconds": seconds, "bucket": bucket_seconds, "buckets": buckets})


def _published(appended: Appended, *, batch: bool) -> dict[str, Any]:
    events = [{"event_id": event_id, "seq": seq} for event_id, seq in appended.ids]
    cursor = str(Cursor(appended.epoch, max(seq for _, seq in appended.ids)))
    return {"events": events, "cursor": cursor} if batch else {**events[0], "cursor": cursor}


async def _page(query: dict[str, list[str]], selection: Selection, limit: int, wait_seconds: int) -> tuple[Page, bool]:
    """The page that was asked for, and whether there is more in its direction. Raises CursorGone."""
    if since := _single(query, "since"):
        page = await _read_since(read_cursor(since), selection, limit, wait_seconds)
        return page, not page.caught_up
    if before := _single(query, "before"):
        page = await reader.run(log.read_before, read_cursor(before), selection, limit=limit)
        return page, len(page.entries) == limit
    if moment := _single(query, "at"):
        return await _page_around(read_moment("at", moment), selection, limit)
    page = await reader.run(log.read_newest, selection, limit=limit)
    return page, False


async def _page_around(moment: datetime, selection: Selection, limit: int) -> tuple[Page, bool]:
    """Half of the page before the moment, half from it on; the cursor leads on forwards."""
    cursor = await reader.run(log.cursor_at, moment)
    earlier = await reader.run(log.read_before, Cursor(cursor.epoch, cursor.seq + 1), selection, limit=limit // 2)
    later = await _read_since(cursor, selection, limit - len(earlier.entries), 0)
    return Page(earlier.entries + later.entries, later.cursor, later.head), not later.caught_up


async def _read_since(cursor: Cursor, selection: Selection, limit: int, wait_seconds: int) -> Page:
    """Read on until there is something, or the log ends; then wait for more, if that was asked for."""
    deadline = time.monotonic() + wait_seconds
    while True:
        page = await reader.run(log.read_after, cursor, selection, limit=limit)
        if page.entries or (page.caught_up and time.monotonic() >= deadline):
            return page
        cursor = page.cursor
        if page.caught_up:
            await _wait_for_more(cursor, deadline)


async def _wait_for_more(cursor: Cursor, deadline: float) -> None:
    """Until the log has grown beyond the cursor, or the deadline. Raises Refusal when too many wait."""
    global _waiting  # how many wait in this process
    if _waiting >= LONG_POLLS_LIMIT:
        raise Refusal("at_capacity")
    relay = the_relay()
    await relay.start()
    _waiting += 1
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            while relay.hub.cursor <= cursor and relay.hub.epoch == cursor.epoch:
                await relay.hub.advanced()
    except TimeoutError:
        pass
    finally:
        _waiting -= 1


def _refuse_stream_accept(request: HttpRequest) -> None:
    accept = request.headers.get("Accept", "")
    if "text/event-stream" in accept and accepts_event_stream([accept]) and "*/*" not in accept:
        title = "This address answers JSON; the stream is at /operator/api/events/stream."
        raise Refusal("not_acceptable", title=title)


def _single(query: dict[str, list[str]], name: str) -> str:
    values = query.get(name, [""])
    if len(values) > 1:
        raise Refusal("duplicate_parameter", title=f"{name} may stand once.")
    return values[0]


def read_number(query: dict[str, list[str]], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number of the query. Raises BadFilter."""
    text = _single(query, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise BadFilter(name, f"a whole number from {least} to {most}")
    return int(text)


def read_moment(name: str, text: str) -> datetime:
    """An ISO time of the query, UTC unless it says otherwise. Raises BadFilter."""
    try:
        # In a query, the + of an offset arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadFilter(name, "an ISO 8601 time") from None
