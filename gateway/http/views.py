"""POST events/sse-token: issues a ticket for the principal token in the header. And the page that explains errors."""

import time
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema

from gateway import metrics, tokens, tracing
from gateway.filters import BadFilter, Selection, queries, read_severities, read_values
from gateway.http import openapi
from gateway.http.authentication import narrowed
from gateway.http.errors import REASONS, ApiError
from gateway.http.json_bodies import read_json
from gateway.http.rest import Endpoint, answer
from gateway.identity import audit, tickets
from gateway.identity.lifetimes import longest_ticket_seconds
from gateway.identity.unused_tickets import the_unused_tickets
from gateway.models import REASON_LENGTH, TokenAudit
from gateway.shared_store.limits import limiter

STREAM_PATH = "/operator/api/events/stream"


def errors_page(request: HttpRequest) -> HttpResponse:
    """The page to which the `type` of every error body refers."""
    reasons = [(reason, status, sentence) for reason, (status, sentence) in REASONS.items()]
    return render(request, "gateway/errors.html", {"reasons": reasons})


class SseTokenView(Endpoint):
    scopes: ClassVar[dict[str, str | None]] = {"POST": "tickets:issue"}

    @extend_schema(
        operation_id="issue_ticket",
        request=openapi.body_of("TicketRequest"),
        responses={200: openapi.component("Ticket")},
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Trade a principal token for a ticket: 60 seconds, one use."""
        started = time.perf_counter()
        try:
            with tracing.span("issue ticket", self.caller.correlation_id):
                text = await self._issue(await self._read(request))
        except Exception:
            metrics.TICKET_ERRORS.inc()
            raise
        metrics.TICKETS_ISSUED.inc()
        metrics.TICKETS_ISSUED_ALIAS.inc()
        metrics.TICKET_LATENCY.observe((time.perf_counter() - started) * 1000)
        ttl_seconds = longest_ticket_seconds()
        # The public address: behind a proxy, this request itself came without TLS.
        base = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
        url = f"{base}{STREAM_PATH}?token={text}"
        return answer(
            {
                "sse_token": text,
                "ttl_sec": ttl_seconds,
                "expires_in_sec": ttl_seconds,
                "endpoint": STREAM_PATH,
                "usage": f"curl -N '{url}' -H 'Accept: text/event-stream'",
            }
        )

    async def _read(self, request: HttpRequest) -> Selection:
        """The selection that the body asks for. A body that is refused counts towards the rate as a ticket does.

        Raises ApiError, BadFilter, LimitExceeded.
        """
        who = self.principal.public_id
        if not request.body:
            return read_selection({})
        # The rate is charged when the ticket is stored; this only refuses a caller that is already known to be over it.
        limiter.refuse_known("tickets", who)
        try:
            return await read_json(request, read_selection, who=who)
        except (ApiError, BadFilter):
            await tickets.charge(who, address=self.caller.address)
            raise

    async def _issue(self, requested: Selection) -> str:
        """Commits the audit row before the ticket is sent, so that no ticket can be used without being in the audit."""
        ticket = tickets.new(self.principal, narrowed(self.principal.selection, requested))
        text = tokens.mint_ticket()
        # Before the row, because a request over the limit gets no ticket. If the row then fails, the stored ticket is
        # harmless: it was never sent.
        await tickets.store(text, ticket, address=self.caller.address)
        await audit.record(
            TokenAudit(
                action=TokenAudit.Action.TICKET_ISSUED,
                ticket_id=ticket.public_id,
                principal_id=self.principal.public_id,
                principal_name=self.principal.name,
                reason=ticket.selection.describe()[:REASON_LENGTH],
                address=self.caller.address,
                correlation_id=self.caller.correlation_id,
            )
        )
        the_unused_tickets().issued(text)
        return text


def read_selection(body: dict[str, Any]) -> Selection:
    """The selection that a request for a ticket asks for. Raises ApiError, BadFilter."""
    errors = {
        name: ["must be a list of texts"]
        for name in ("modules", "severities", "event_types")
        if not _is_text_list(body.get(name, []))
    }
    if not isinstance(body.get("q", ""), str):
        errors["q"] = ["must be a text"]
    if errors:
        raise ApiError("validation_error", errors=errors)
    return Selection(
        severities=read_severities("severities", body.get("severities", ())),
        modules=read_values("modules", body.get("modules", ())),
        event_types=read_values("event_types", body.get("event_types", ())),
        queries=queries.read([body.get("q", "")]),
    )


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
