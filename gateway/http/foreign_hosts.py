"""Requests for a host name that VX11_ALLOWED_HOSTS does not list: the refusal, and a log line that says what to do."""

import logging

from gateway.http.errors import ApiError

logger = logging.getLogger(__name__)

TITLE = "This host name is not served here; VX11_ALLOWED_HOSTS lists those that are."
# Each name once, so that a scanner does not fill the log; and no more names than that.
LOGGED_LIMIT = 100
NAME_LIMIT_CHARACTERS = 100

_logged: set[str] = set()


def refusal(name: str) -> ApiError:
    """`name` is what the request has as its host, which may be anything."""
    name = name[:NAME_LIMIT_CHARACTERS]
    if name not in _logged and len(_logged) < LOGGED_LIMIT:
        _logged.add(name)
        logger.warning("a request for a host that is not in VX11_ALLOWED_HOSTS host=%r", name)
    return ApiError("bad_request", title=TITLE)
