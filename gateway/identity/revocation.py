"""Revoking tickets that were issued and not used yet. They are found in the audit, which has a row for each of them."""

from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from gateway.identity.actors import current
from gateway.identity.lifetimes import oldest_live_ticket
from gateway.models import EndedTicket, RightsVersion, TokenAudit
from ledger import clock

Action = TokenAudit.Action
BATCH_ROWS = 1_000


class Live(NamedTuple):
    """A ticket that may still open a stream.

    A used one can do so only if a failover of Redis has lost the use.
    """

    ticket_id: str
    principal_id: str
    principal_name: str
    used: bool = False


def live_tickets(*, principal_id: str = "", ticket_ids: list[str] | None = None) -> list[Live]:
    """Tickets of this principal, or with these ids; all of them if neither is given."""
    wanted = Q(principal_id=principal_id) if principal_id else Q()
    if ticket_ids is not None:
        wanted &= Q(ticket_id__in=ticket_ids)
    # Rows are dated by the clock of the process that wrote them.
    begins = oldest_live_ticket(clock.now())
    issued = TokenAudit.objects.filter(wanted, action=Action.TICKET_ISSUED, at__gte=begins)
    issued = issued.exclude(Exists(EndedTicket.objects.filter(ticket_id=OuterRef("ticket_id"))))
    same = TokenAudit.objects.filter(ticket_id=OuterRef("ticket_id"), action=Action.TICKET_REDEEMED)
    issued = issued.annotate(used=Exists(same if settings.SSE_TOKEN_SINGLE_USE else same.none()))
    return [Live(*row) for row in issued.order_by("at").values_list(*Live._fields)]


def revoke(tickets: list[Live], *, because: str) -> Iterator[int]:
    """Revoke them batch by batch, with an audit row for each that was not used; yields how many were revoked so far.

    Every process knows within two seconds. Open streams stay open: their tickets are used up already.
    """
    for begin in range(0, len(tickets), BATCH_ROWS):
        batch = tickets[begin : begin + BATCH_ROWS]
        with transaction.atomic():
            RightsVersion.bump()
            EndedTicket.objects.bulk_create(
                [EndedTicket(ticket_id=one.ticket_id) for one in batch], ignore_conflicts=True
            )
            TokenAudit.objects.bulk_create([_row(one, because) for one in batch if not one.used])
        yield begin + len(batch)


def _row(ticket: Live, because: str) -> TokenAudit:
    return TokenAudit(
        action=Action.TICKET_REVOKED,
        actor=current.get().name,
        reason=because,
        ticket_id=ticket.ticket_id,
        principal_id=ticket.principal_id,
        principal_name=ticket.principal_name,
    )
