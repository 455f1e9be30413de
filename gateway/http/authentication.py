"""From a request's headers to a principal, with the same refusal whatever is wrong with the credential."""

import dataclasses
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest

from gateway import metrics
from gateway.addresses import address_group
from gateway.filters import BadFilter, Selection
from gateway.http import headers
from gateway.http.errors import ApiError, api_error_for, correlation_id_of
from gateway.identity.audit import refusals
from gateway.identity.principals import InvalidCredential, Principal, directory
from gateway.redaction import is_credential
from gateway.shared_store.limits import LimitExceeded, limiter

FAILED_CREDENTIALS = "failed_credentials"
# Reasons of refusals that say who tried what, beside those of credentials.
ON_RECORD = frozenset(
    {"insufficient_scope", "csrf_failed", "cross_site", "window_closed", "token_in_query", "ambiguous_credentials"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Where a request came from, for audit rows and logs."""

    address: str
    correlation_id: str


def caller_of(request: HttpRequest) -> Caller:
    raw = getattr(request, "scope", {}).get("headers", ())
    address = headers.client_address(request.META.get("REMOTE_ADDR", ""), raw, settings.TRUSTED_PROXIES)
    return Caller(address, correlation_id_of(request))


def note_refusal(error: BaseException, caller: Caller, *, principal_id: str = "") -> None:
    """Put a refusal that is about access on record; one of a credential was so when it was looked at.

    A token that stood in a URL has leaked to every log on its way: the audit knows that, though not which it was.
    """
    if isinstance(error, LimitExceeded):
        reason = f"{api_error_for(error).reason}: {error.name}"
        known = error.name != FAILED_CREDENTIALS
    else:
        reason = error.reason if isinstance(error, ApiError) else ""
        known = reason in ON_RECORD
    if not known:
        return
    if reason == "token_in_query":
        metrics.AUTH_FAILURES.labels(reason).inc()
    principal_id = principal_id or getattr(error, "principal_id", "")
    refusals.record(
        reason=reason, address=caller.address, principal_id=principal_id, correlation_id=caller.correlation_id
    )


async def with_header(raw: Iterable[tuple[bytes, bytes]], caller: Caller) -> Principal | None:
    """The principal of the token header, None without one. Raises ApiError, LedgerUnavailable."""
    text = headers.credential(raw)
    if text is None:
        return None
    try:
        return await directory.holder_of(text)
    except InvalidCredential as refused:
        metrics.PRINCIPALS_INVALID.inc()
        raise await refused_credential("main_auth_failed", refused, caller) from None


async def refused_credential(
    reason: str, refused: InvalidCredential, caller: Caller, *, ticket_id: str = ""
) -> ApiError:
    """What to answer to a credential that is not valid. Why goes into the audit, and neither into the answer nor into
    a label. An address whose credentials fail too often is told to wait; one whose credential is valid never is.

    Raises LimitExceeded.
    """
    # First: it knows only the reasons of the closed list, so no other can become a label.
    refusal = ApiError(reason)
    metrics.AUTH_FAILURES.labels(reason).inc()
    refusals.record(
        reason=f"{reason}: {refused.why}",
        address=caller.address,
        principal_id=refused.public_id,
        ticket_id=ticket_id,
        correlation_id=caller.correlation_id,
    )
    await limiter.spend(FAILED_CREDENTIALS, address_group(caller.address))
    return refusal


def narrowed(may_see: Selection, asked: Selection) -> Selection:
    """What of all that may be seen was asked for. Raises ApiError for a module that may not be seen, BadFilter."""
    for field, values in asked.as_json().items():
        if any(map(is_credential, values)):
            # What was asked for stands in audit rows and in the admin.
            raise BadFilter(field, "a token is no value to filter by")
    if asked.exceeds(may_see):
        raise ApiError("insufficient_scope", title="The token does not carry the right to see these modules.")
    return may_see & asked


def require(principal: Principal, scope: str | None) -> None:
    """Raises ApiError unless the principal holds the scope; None asks for no scope."""
    if scope is not None and scope not in principal.scopes:
        raise ApiError("insufficient_scope", title=f"This needs the right {scope}.")
