"""Tokens: which of them end soon."""

from collections.abc import Iterator

from gateway.models import ENDS_SOON, AccessToken
from vx11_site.doctor import database
from vx11_site.doctor.findings import Finding, ok, warn

REPAIR = "Repair the database first, see above."
RENEW = "manage.py issue_token, hand the new one over, then manage.py revoke_token"
# If more tokens end soon, one line says so.
NAMED = 5


def probe_tokens() -> Iterator[Finding]:
    if not database.is_made():
        return
    ending = list(AccessToken.objects.ending_soon()[: NAMED + 1])
    for token in ending[:NAMED]:
        yield warn(f"{token.kind} token {token} ends at {token.expires_at:%Y-%m-%d %H:%M} UTC", RENEW)
    if len(ending) > NAMED:
        yield warn("there are more of them", "manage.py list_tokens")
    if not ending:
        yield ok(f"none that was made to last ends within {ENDS_SOON.days} days")
