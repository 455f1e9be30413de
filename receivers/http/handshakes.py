"""The handshake by which senders of CloudEvents ask whether they may send here. Pure: no I/O.

As "HTTP 1.1 Web Hooks for Event Delivery" of CloudEvents has it: OPTIONS names the sender's origin, and the answer
repeats it. Every well-formed origin is told yes, because it gives nothing: each delivery needs a service token. The
callback is never called: an address that a caller names is no address for this server to ask.
"""

import re
from collections.abc import Mapping

from gateway.http.errors import ApiError

ORIGIN_HEADER, RATE_HEADER = "WebHook-Request-Origin", "WebHook-Request-Rate"
NO_LIMIT = "*"
_ORIGIN = re.compile(r"[A-Za-z0-9.-]{1,253}", re.ASCII)
_RATE = re.compile(r"[0-9]{1,9}", re.ASCII)


def granted(headers: Mapping[str, str], rate: tuple[int, int] | None) -> dict[str, str]:
    """Headers of the answer; none if nothing was asked. `rate`: so many events in so many seconds, None without limit.

    Raises ApiError.
    """
    origin = headers.get(ORIGIN_HEADER)
    if origin is None:
        return {}
    if not _ORIGIN.fullmatch(origin):
        raise ApiError("bad_request", title=f"{ORIGIN_HEADER} is the name of a host.")
    asked = headers.get(RATE_HEADER, NO_LIMIT)
    if asked != NO_LIMIT and not _RATE.fullmatch(asked):
        raise ApiError("bad_request", title=f"{RATE_HEADER} is a number of requests in a minute.")
    return {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": _allowed_rate(asked, rate)}


def _allowed_rate(asked: str, rate: tuple[int, int] | None) -> str:
    """Requests in a minute: a request has one event at least, so more could never be taken."""
    if rate is None:
        return asked
    events, seconds = rate
    per_minute = max(1, events * 60 // seconds)
    return str(per_minute if asked == NO_LIMIT else max(1, min(int(asked), per_minute)))
