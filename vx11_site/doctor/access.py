"""Tokens: which of them end soon, which are near a limit, and whether all processes were given the same ones."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Count

from events.models import StreamSession
from gateway.identity import environment_tokens
from gateway.models import ENDS_SOON, AccessToken, TokenAudit
from gateway.shared_store.limits import rate_of
from ledger import clock
from vx11_site.doctor import database
from vx11_site.doctor.findings import Finding, ok, warn

REPAIR = "Repair the database first, see above."
RENEW = "manage.py issue_token, hand the new one over, then manage.py revoke_token"
GIVE_THE_SAME = (
    "give all processes the same VX11_PRINCIPAL_TOKEN and VX11_SERVICE_TOKEN, and restart this one; or, after a "
    "rotation, restart those that still hold the old one"
)
# A principal that uses so much of a limit will meet it when a few more browsers come.
NEAR_SHARE = 0.8
# How far back tickets are counted, or one window of the rate if that is longer.
TICKETS_BACK = timedelta(minutes=5)
ONE_EACH = "raise it, or give each site a token of its own: manage.py issue_token"
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
    yield from _near_limits()


def _held() -> Iterator[Finding]:
    running, missing = environment_tokens.differences()
    for process, names in list(missing.items())[:NAMED]:
        yield warn(f"process {process} was started without {', '.join(names)}, which others hold", GIVE_THE_SAME)
    if running > 1 and not missing:
        yield ok(f"{running} processes were given the same tokens by the environment")


def _near_limits() -> Iterator[Finding]:
    """Limits hold for all processes together, and in practice all browsers of a site share one token."""
    limit = settings.MAX_STREAMS_PER_PRINCIPAL
    open_streams = StreamSession.objects.filter(closed_at=None).values_list("principal_id").annotate(Count("id"))
    for principal, number in open_streams.filter(id__count__gte=limit * NEAR_SHARE) if limit else ():
        yield warn(f"{principal} has {number} open streams, and VX11_MAX_STREAMS_PER_PRINCIPAL is {limit}", ONE_EACH)
    if (rate := rate_of("tickets")) is not None:
        amount, seconds = rate
        for principal, number in _most_tickets(seconds).items():
            if number >= amount * NEAR_SHARE:
                text = f"{principal} got {number} tickets within {seconds} s, and VX11_TOKEN_RATE allows {amount}"
                yield warn(text, ONE_EACH)


def _most_tickets(seconds: int) -> dict[str, int]:
    """The most tickets that each principal got in a window of so many seconds, lately."""
    issued = TokenAudit.objects.filter(
        action=TokenAudit.Action.TICKET_ISSUED, at__gte=clock.ask() - max(TICKETS_BACK, timedelta(seconds=seconds))
    )
    windows: Counter[tuple[str, int]] = Counter()
    for principal, second, number in (
        issued.annotate(second=clock.UnixSeconds("at")).values_list("principal_id", "second").annotate(Count("pk"))
    ).order_by():
        windows[principal, second // seconds] += number
    most: dict[str, int] = {}
    for (principal, _), number in windows.items():
        most[principal] = max(number, most.get(principal, 0))
    return most
