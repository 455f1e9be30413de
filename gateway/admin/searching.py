"""What somebody typed into a search field: which column it can be in, so that only that one's index is asked."""

import ipaddress
import re
import uuid

from django.db.models import Q

_PRINCIPAL = re.compile(r"(?:[ps]-[0-9a-f]{4,30}|u-\d{1,19})", re.ASCII)
_TICKET = re.compile(r"t-[0-9a-f]{4,30}", re.ASCII)


def is_public_id(term: str) -> bool:
    return bool(_PRINCIPAL.fullmatch(term) or _TICKET.fullmatch(term))


def condition(term: str, *, stream_field: str, otherwise: tuple[str, ...]) -> Q:
    """Rows with this ticket, principal, stream, address or correlation id; or with one of the other fields equal."""
    if _TICKET.fullmatch(term):
        return Q(ticket_id=term)
    if _PRINCIPAL.fullmatch(term):
        return Q(principal_id=term)
    if _is_address(term):
        return Q(address=term)
    found = Q(correlation_id=term)
    if is_uuid(term):
        return found | Q(**{stream_field: term.lower()})
    for field in otherwise:
        found |= Q(**{field: term})
    return found


def is_uuid(term: str) -> bool:
    try:
        return str(uuid.UUID(term)) == term.lower()
    except ValueError:
        return False


def _is_address(term: str) -> bool:
    try:
        ipaddress.ip_address(term)
    except ValueError:
        return False
    return True
