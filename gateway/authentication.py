"""From a request's headers to a principal, with the same refusal whatever is wrong with the credential."""

import dataclasses
from collections.abc import Iterable

from gateway import headers, metrics
from gateway.audit import refusals
from gateway.errors import Refusal
from gateway.filters import Selection
from gateway.principals import Principal, Refused, directory


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Where a request came from, for audit rows and logs."""

    address: str
    correlation_id: str


async def with_header(raw: Iterable[tuple[bytes, bytes]], caller: Caller) -> Principal | None:
    """The principal of the token header, None without one. Raises Refusal, LedgerUnavailable."""
    text = headers.credential(raw)
    if text is None:
        return None
    try:
        return await directory.holder_of(text)
    except Refused as refused:
        metrics.PRINCIPALS_INVALID.inc()
        raise refuse("main_auth_failed", refused, caller) from None


def refuse(reason: str, refused: Refused, caller: Caller) -> Refusal:
    """Note why in the audit; neither the answer nor the counter's label says it."""
    # First: it knows only the reasons of the closed list, so no other can become a label.
    refusal = Refusal(reason)
    metrics.AUTH_FAILURES.labels(reason).inc()
    refusals.record(
        reason=f"{reason}: {refused.why}",
        address=caller.address,
        principal_id=refused.public_id,
        correlation_id=caller.correlation_id,
    )
    return refusal


def narrowed(may_see: Selection, asked: Selection) -> Selection:
    """What of all that may be seen was asked for. Raises Refusal for a module that may not be seen."""
    if asked.exceeds(may_see):
        raise Refusal("insufficient_scope", title="The token does not carry the right to see these modules.")
    return may_see & asked


def require(principal: Principal, scope: str | None) -> None:
    """Raises Refusal unless the principal holds the scope; None asks for no scope."""
    if scope is not None and scope not in principal.scopes:
        raise Refusal("insufficient_scope", title=f"This needs the right {scope}.")
