"""May this caller open this stream? `authorise` answers that; `use_up` then spends the ticket, as the last step."""

import asyncio
import dataclasses

from events.stream.stream_request import StreamRequest
from gateway import metrics, tokens, tracing
from gateway.filters import Selection
from gateway.http import headers
from gateway.http.authentication import Caller, narrowed, refused_credential, require, with_header
from gateway.http.errors import ApiError
from gateway.identity import tickets
from gateway.identity.audit import record_behind
from gateway.identity.principals import Principal
from gateway.identity.tickets import InvalidTicket, Ticket
from gateway.identity.unused_tickets import the_unused_tickets
from gateway.models import TokenAudit
from ledger.uptime import uptime_seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Admitted:
    """Who reads what. The ticket, if there is one, is not used up yet."""

    principal: Principal
    selection: Selection
    ticket: Ticket | None


async def authorise(request: StreamRequest, raw: headers.RawHeaders, caller: Caller) -> Admitted:
    """Who asks, and what they may read. Raises ApiError, LedgerUnavailable, StoreUnavailable."""
    ticket = None
    if request.ticket:
        try:
            ticket, principal = await tickets.find_valid(request.ticket)
        except InvalidTicket as invalid:
            raise await _refusal(invalid, caller) from None
    elif (found := await with_header(raw, caller)) is not None:
        principal = found
    else:
        raise ApiError("missing_token", title="Send a ticket in ?token=, or a token in the X-VX11-Token header.")
    may_see = principal.selection if ticket is None else principal.selection & ticket.selection
    try:
        require(principal, "events:read")
        return Admitted(principal, narrowed(may_see, request.asked), ticket)
    except ApiError as refusal:
        refusal.principal_id = principal.public_id
        raise


async def use_up(request: StreamRequest, admitted: Admitted, caller: Caller) -> str:
    """Use the ticket up and give the stream its id. Raises ApiError for all but one of those who try at once.

    Once begun it is done to its end, also when the client hangs up meanwhile: a ticket that is used up is on record.
    """
    stream_id = tokens.new_uuid()
    ticket = admitted.ticket
    if ticket is None:
        return stream_id
    redeeming = asyncio.ensure_future(_redeem(request.ticket, ticket, admitted.principal, caller, stream_id))
    _redeeming.add(redeeming)
    redeeming.add_done_callback(_redeemed)
    with tracing.span("redeem ticket", caller.correlation_id):
        if not await asyncio.shield(redeeming):
            invalid = InvalidTicket(tickets.USED_BEFORE, ticket.public_id, admitted.principal.public_id)
            raise await _refusal(invalid, caller)
    return stream_id


# Kept here, because the event loop keeps no task by itself.
_redeeming: "set[asyncio.Future[bool]]" = set()


def _redeemed(redeeming: "asyncio.Future[bool]") -> None:
    _redeeming.discard(redeeming)
    if not redeeming.cancelled():
        # The client may be gone, and with it the caller to whom an error would be raised.
        redeeming.exception()


async def _redeem(text: str, ticket: Ticket, principal: Principal, caller: Caller, stream_id: str) -> bool:
    if not await tickets.use(text, ticket):
        return False
    the_unused_tickets().used(text)
    if ticket.issued_at is not None:
        metrics.TICKET_REDEEM_SECONDS.observe(uptime_seconds() - ticket.issued_at)
    record_behind(
        TokenAudit(
            action=TokenAudit.Action.TICKET_REDEEMED,
            ticket_id=ticket.public_id,
            principal_id=principal.public_id,
            principal_name=principal.name,
            address=caller.address,
            correlation_id=caller.correlation_id,
            stream_id=stream_id,
        )
    )
    return True


async def _refusal(invalid: InvalidTicket, caller: Caller) -> ApiError:
    metrics.TICKETS_INVALID.inc()
    return await refused_credential("invalid_token", invalid, caller, ticket_id=invalid.ticket_id)
