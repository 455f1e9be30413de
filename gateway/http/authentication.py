"""From a request's headers to a principal. Every invalid credential gets the same refusal, whatever is wrong with
it.
"""

import dataclasses
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest

from gateway import metrics
from gateway.addresses import address_group
from gateway.filters import BadFilter, Selection
from gateway.http import headers
from gateway.http.errors import ApiError, TokenInQuery, api_error_for, correlation_id_of
from gateway.identity.audit import refusals
from gateway.identity.principals import InvalidCredential, Principal, directory
from gateway.redaction import is_credential
from gateway.shared_store.limits import LimitExceeded, limiter

FAILED_CREDENTIALS = "failed_credentials"
# Refusals that go into the audit, beside those of credentials.
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
    """Write an audit row for a refusal that is about access. `refused_credential` writes those of credentials itself.

    A token in a URL has leaked to every log on its way: the audit records the fact and the public id of a valid token,
    but not the token.
    """
    if isinstance(error, LimitExceeded):
        reason = f"{api_error_for(error).reason}: {error.name}"
        is_recorded = error.name != FAILED_CREDENTIALS
    else:
        reason = error.reason if isinstance(error, ApiError) else ""
        is_recorded = reason in ON_RECORD
    if not is_recorded:
        return
    if isinstance(error, TokenInQuery):
        metrics.AUTH_FAILURES.labels(reason).inc()
        # The answer is the same for every token, and does not wait for this.
        error.principal_id = next(filter(None, map(directory.recognised_digest, error.digests)), "")
    principal_id = principal_id or getattr(error, "principal_id", "")
    refusals.record(
        reason=reason, address=caller.address, principal_id=principal_id, correlation_id=caller.correlation_id
    )


async def with_header(raw: Iterable[tuple[bytes, bytes]], caller: Caller) -> Principal | None:
    """The principal of the token header, None without one. Raises ApiError, LedgerUnavailable."""
    text = headers.credential(raw)
    return None if text is None else await with_token(text, caller)


async def with_token(text: str, caller: Caller) -> Principal:
    """The principal of a token's text. Raises ApiError, LedgerUnavailable."""
    try:
        return await directory.holder_of(text)
    except InvalidCredential as refused:
        metrics.PRINCIPALS_INVALID.inc()
        raise await refused_credential("main_auth_failed", refused, caller) from None


async def refused_credential(
    reason: str, refused: InvalidCredential, caller: Caller, *, ticket_id: str = ""
) -> ApiError:
    """The error to raise for an invalid credential. The cause goes into the audit, not into the response or a label.

    Raises LimitExceeded when credentials from this address fail too often. A valid credential is never limited by this.
    """
    # First: ApiError accepts only reasons of the closed list, so no other can become a label.
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


def narrowed(may_see: Selection, requested: Selection) -> Selection:
    """The requested part of what the caller may see. Raises ApiError for a module that it may not see, BadFilter."""
    for field, values in requested.as_json().items():
        if any(map(is_credential, values)):
            # The requested filter is stored in audit rows and shown in the admin.
            raise BadFilter(field, "a token is no value to filter by")
    if requested.exceeds(may_see):
        raise ApiError("insufficient_scope", title="The token does not carry the right to see these modules.")
    return may_see & requested


def require(principal: Principal, scope: str | None) -> None:
    """Raises ApiError unless the principal has the scope; None means that no scope is needed."""
    if scope is not None and scope not in principal.scopes:
        raise ApiError("insufficient_scope", title=f"This needs the right {scope}.")
