"""events: publish and poll."""

from functools import partial
from typing import ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema

from events import metrics, search
from events.http import openapi, parameters
from events.http.asking import Asking, shown, unless_gone
from events.http.polling import Asked, page_for, read_flag
from events.http.publishing import admit, charge_refused, publish, published, read_submission
from events.log import IdempotencyConflict, Page
from events.stream.stream_request import accepts_event_stream
from gateway import tracing
from gateway.filters import Selection
from gateway.http.bodies import PUBLISH_LIMIT_BYTES
from gateway.http.errors import ApiError
from gateway.http.json_bodies import PUBLISH_LIMIT_VALUES, packed_body, read_json
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import answer
from ledger.faults import LedgerBusy


class EventsView(Asking):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "events:read", "POST": "events:publish"}
    kinds = frozenset({"principal", "session", "service"})

    @extend_schema(
        operation_id="publish",
        parameters=[parameters.KEY_PARAMETER],
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
        packed = packed_body(request, limit_bytes=PUBLISH_LIMIT_BYTES)
        try:
            submission = await read_json(request, read, who=publisher, limit_values=PUBLISH_LIMIT_VALUES, packed=packed)
        except ApiError:
            await charge_refused(publisher, packed.size_bytes)
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
        return answer(published(appended, batch=submission.batch), 201 if appended.created else 200)

    @extend_schema(
        operation_id="poll",
        parameters=parameters.POLL_PARAMETERS,
        responses={200: component("EventPage")},
        extensions=refuses("not_acceptable", "cursor_expired", "at_capacity"),
    )
    async def get(self, request: HttpRequest) -> HttpResponseBase:
        """Events after, before or around a position; without one, the newest. Always oldest first."""
        _refuse_stream_accept(request)
        query, filters, asked = self.read(request)
        total_wanted = read_flag(query, "total")
        page = await unless_gone(page_for(query, asked))
        total = await self._count(page, asked, filters) if total_wanted or not asked.is_search else None
        return answer(shown(page, limit=asked.limit, total=total))

    async def _count(self, page: Page, asked: Asked, filters: Selection) -> int | None:
        """How many match, where that is soon known: a search that was ended has shown that it is not."""
        if not page.complete:
            return None
        # By the rights with which the page was read. Whether those still hold is checked when the answer leaves.
        try:
            return await asked.run(search.count, self.principal.selection & filters)
        except LedgerBusy:
            # The page is there; others wait for theirs.
            return None


def _refuse_stream_accept(request: HttpRequest) -> None:
    accept = request.headers.get("Accept", "")
    if "text/event-stream" in accept and accepts_event_stream([accept]) and "*/*" not in accept:
        title = "This address answers JSON; the stream is at /operator/api/events/stream."
        raise ApiError("not_acceptable", title=title)
