"""Tokens: which of them end soon, and whether all processes were given the same ones."""

from collections.abc import Iterator

from gateway.identity import environment_tokens
from gateway.models import ENDS_SOON, AccessToken
from vx11_site.doctor import database
from vx11_site.doctor.findings import Finding, ok, warn

REPAIR = "Repair the database first, see above."
RENEW = "manage.py issue_token, hand the new one over, then manage.py revoke_token"
GIVE_THE_SAME = (
    "give all processes the same VX11_PRINCIPAL_TOKEN and VX11_SERVICE_TOKEN, and restart this one; or, after a "
    "rotation, restart those that still hold the old one"
)
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
    yield from _held()


def _held() -> Iterator[Finding]:
    running, missing = environment_tokens.differences()
    for process, names in list(missing.items())[:NAMED]:
        yield warn(f"process {process} was started without {', '.join(names)}, which others hold", GIVE_THE_SAME)
    if running > 1 and not missing:
        yield ok(f"{running} processes were given the same tokens by the environment")
