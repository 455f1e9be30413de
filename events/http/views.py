"""events: publish and poll; events/stats: counts over time."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema

from events import log, metrics
from events.http import openapi
from events.http.polling import MaySee, page_for, read_limit, read_number
from events.http.publishing import admit, charge_refused, publish, read_submission
from events.log import Appended, Cursor, CursorGone, IdempotencyConflict, Page, timestamp
from events.stream.stream_request import accepts_event_stream, read_filters
from gateway import tracing
from gateway.filters import SEVERITIES, BadFilter, Selection
from gateway.http import headers
from gateway.http.authentication import narrowed, refused_credential, require
from gateway.http.errors import ApiError
from gateway.http.json_bodies import PUBLISH_LIMIT_VALUES, read_json
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import Endpoint, answer
from gateway.identity.principals import InvalidCredential, directory
from ledger import clock
from ledger.faults import LedgerBusy
from ledger.reader import questions as lane

STATS_MAX_SECONDS = 86_400
STATS_MAX_BUCKETS = 1_000


class EventsView(Endpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "events:read", "POST": "events:publish"}
    kinds = frozenset({"principal", "session", "service"})

    @extend_schema(
        operation_id="publish",
        parameters=[openapi.KEY_PARAMETER],
        request=body_of("Publication"),
        responses={201: openapi.PUBLISHED, 200: openapi.PUBLISHED},
        extensions=refuses("idempotency_conflict"),
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Publish one event, or up to 500 in `events`. 201 means durable; the same again is 200 with the same ids."""
        # The caller is authenticated by now: no unknown client can name a trace.
        parent = request.headers.get("traceparent", "")
        with tracing.span("publish", self.caller.correlation_id, parent=parent) as span:
            return await self._publish(request, span)

    async def _publish(self, request: HttpRequest, span: tracing.Span | None) -> HttpResponse:
        publisher = self.principal.public_id
        await admit(publisher)
        read = partial(
            read_submission,
            principal=self.principal,
            correlation_id=self.caller.correlation_id,
            key=request.headers.get("Idempotency-Key"),
        )
        try:
            submission = await read_json(request, read, who=publisher, limit_values=PUBLISH_LIMIT_VALUES)
        except ApiError:
            await charge_refused(publisher, len(request.body))
            raise
        submission.span = span
        if span is not None:
            span.note(count=len(submission.events), bytes=len(request.body))
        try:
            appended = await publish(submission, charged=1)
        except IdempotencyConflict:
            raise ApiError("idempotency_conflict") from None
        metrics.EVENTS_PUBLISHED.inc(appended.fresh)
        if span is not None:
            span.note(first_seq=min(seq for _, seq in appended.ids))
        return answer(_published(appended, batch=submission.batch), 201 if appended.created else 200)

    @extend_schema(
        operation_id="poll",
        parameters=openapi.POLL_PARAMETERS,
        responses={200: component("EventPage")},
        extensions=refuses("not_acceptable", "cursor_expired", "at_capacity"),
    )
    async def get(self, request: HttpRequest) -> HttpResponseBase:
        """Events after, before or around a position; without one, the newest. Always oldest first."""
        _refuse_stream_accept(request)
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        asked = read_filters(query)
        # Refuses what was asked for by name; what may be seen is asked again each time that something is read.
        narrowed(self.principal.selection, asked)
        limit = read_limit(query)
        try:
            page = await page_for(query, partial(self._may_see, asked), limit=limit, who=self.principal.public_id)
        except CursorGone as gone:
            head = gone.head
            extra = {"reset": gone.reset, "oldest": str(head.oldest), "newest": str(head.newest)}
            raise ApiError("cursor_expired", extra=extra) from None
        return answer(_shown(page, limit=limit, total=await self._count(page, asked)))

    async def _count(self, page: Page, asked: Selection) -> int | None:
        """How many match, where that is soon known: a search that was ended has shown that it is not."""
        if not page.complete:
            return None
        # By the rights with which the page was read. Whether those still hold is checked when the answer leaves.
        selection = self.principal.selection & asked
        try:
            return await lane.run_for(self.principal.public_id, log.count, selection)
        except LedgerBusy:
            # The page is there; others wait for theirs.
            return None

    async def _may_see(self, asked: Selection) -> MaySee:
        """By the rights of now: a long poll may outlive those it began with. Raises ApiError, LedgerUnavailable."""
        known = self.principal
        try:
            self.principal = await directory.still(known)
        except InvalidCredential as refused:
            raise await refused_credential("main_auth_failed", refused, self.caller) from None
        require(self.principal, "events:read")
        return MaySee(self.principal.selection & asked, self.principal.expires_at)


class StatsView(Endpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "events:read"}

    @extend_schema(
        operation_id="event_stats",
        parameters=openapi.stats_parameters(max_seconds=STATS_MAX_SECONDS, most_buckets=STATS_MAX_BUCKETS),
        responses={200: component("Stats")},
    )
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Counts per bucket of time and severity, for the last `seconds`."""
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        seconds = read_number(query, "seconds", 900, minimum=1, maximum=STATS_MAX_SECONDS)
        bucket_seconds = read_number(query, "bucket", 5, minimum=1, maximum=openapi.BUCKET_MAX_SECONDS)
        if seconds / bucket_seconds > STATS_MAX_BUCKETS:
            raise BadFilter("bucket", f"at most {STATS_MAX_BUCKETS} buckets; take a larger one")
        selection = narrowed(self.principal.selection, read_filters(query))
        # Buckets begin at whole multiples, so that two readers see the same ones.
        first = int(clock.now().timestamp() - seconds) // bucket_seconds * bucket_seconds
        since = datetime.fromtimestamp(first, UTC)
        counted = await lane.run_for(
            self.principal.public_id, log.count_by_time, selection, since=since, bucket_seconds=bucket_seconds
        )
        last = int((clock.now() - since).total_seconds() // bucket_seconds)
        buckets = [
            {
                "start": timestamp(since + timedelta(seconds=index * bucket_seconds)),
                **{severity: counted.counts.get((index, severity), 0) for severity in SEVERITIES},
            }
            for index in range(last + 1)
        ]
        return answer(
            {
                "seconds": seconds,
                "bucket": bucket_seconds,
                "buckets": buckets,
                "cursor": str(counted.newest),
                "searched_from": {"cursor": str(counted.searched_from)},
                "complete": counted.complete,
            }
        )


def _shown(page: Page, *, limit: int, total: int | None) -> dict[str, Any]:
    searched_from, searched_to = page.searched or (page.first_cursor, page.cursor)
    return {
        "events": [orjson.Fragment(entry.body) for entry in page.entries],
        "total": total,
        "limit": limit,
        "cursor": str(page.cursor),
        # What to send as `before` to page backwards.
        "first_cursor": str(page.first_cursor),
        "has_more": page.has_more,
        "searched_from": {"cursor": str(searched_from)},
        "searched_to": {"cursor": str(searched_to)},
        "complete": page.complete,
    }


def _published(appended: Appended, *, batch: bool) -> dict[str, Any]:
    events = [{"event_id": event_id, "seq": seq} for event_id, seq in appended.ids]
    cursor = str(Cursor(appended.epoch, max(seq for _, seq in appended.ids)))
    return {"events": events, "cursor": cursor, "new": appended.fresh} if batch else {**events[0], "cursor": cursor}


def _refuse_stream_accept(request: HttpRequest) -> None:
    accept = request.headers.get("Accept", "")
    if "text/event-stream" in accept and accepts_event_stream([accept]) and "*/*" not in accept:
        title = "This address answers JSON; the stream is at /operator/api/events/stream."
        raise ApiError("not_acceptable", title=title)
