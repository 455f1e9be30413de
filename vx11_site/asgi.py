"""The ASGI application: streams to the consumer, files and the API to lean handlers, pages to Django."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vx11_site.settings")
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter  # noqa: E402 - needs the apps to be loaded
from django.conf import settings  # noqa: E402 - as above

from events.stream.consumer import (  # noqa: E402 - as above
    SOCKET_PATHS,
    STREAM_PATHS,
    socket_application,
    stream_application,
)
from gateway import tracing  # noqa: E402 - as above
from gateway.http.asgi import Receive, Scope, Send  # noqa: E402 - as above
from gateway.http.cookies import OrdinaryHandler, SessionHandler  # noqa: E402 - as above
from gateway.http.rest import LeanHandler  # noqa: E402 - as above
from vx11_site.config import single_process  # noqa: E402 - as above
from vx11_site.server.static_files import StaticHandler  # noqa: E402 - as above

LEAN_PATHS = frozenset({"/health", "/ready", "/metrics"})
LEAN_PREFIX = "/operator/api/"
# Django's and DRF's synchronous views under the same prefix.
ORDINARY_PREFIXES = ("/operator/api/schema/", "/operator/api/docs/")

_lean = LeanHandler()
_session = SessionHandler()
_ordinary = OrdinaryHandler()
_static = StaticHandler()


def is_page(path: str) -> bool:
    """Whether Django's ordinary views answer at this address."""
    return path not in LEAN_PATHS and (not path.startswith(LEAN_PREFIX) or path.startswith(ORDINARY_PREFIXES))


def is_lean(scope: Scope) -> bool:
    """Whether a request needs neither session nor CSRF: it brings a token, or no cookie at all."""
    if is_page(scope["path"]):
        return False
    given = [(name, value) for name, value in scope["headers"] if value]
    return any(_is_token(name, value) for name, value in given) or all(name != b"cookie" for name, _ in given)


def _is_token(name: bytes, value: bytes) -> bool:
    # A proxy may ask for a password of its own (Basic), and browsers then send that with every request.
    return name == b"x-vx11-token" or (name == b"authorization" and value[:7].lower() == b"bearer ")


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    if settings.ROLE == "backend":
        # Neither streams nor sessions: all callers of a backend are programs with a token.
        await _lean(scope, receive, send)
    elif scope["path"] in STREAM_PATHS:
        await stream_application(scope, receive, send)
    elif scope["path"] in SOCKET_PATHS:
        await socket_application(scope, receive, send)
    elif _static.has(scope["path"]):
        await _static(scope, receive, send)
    elif is_lean(scope):
        await _lean(scope, receive, send)
    elif is_page(scope["path"]):
        await _ordinary(scope, receive, send)
    else:
        await _session(scope, receive, send)


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Of servers that make the handshake themselves; ours hands it over as a request (vx11_site/server/sockets.py)."""
    await receive()
    await send({"type": "websocket.close"})


def send_traces() -> None:
    """Start tracing if VX11_TRACES_URL is set; otherwise OpenTelemetry is not imported. Exits if packages are
    missing.
    """
    if not settings.TRACES_URL:
        return
    if not tracing.can_be_sent():
        sys.exit(f"{tracing.MISSING}\n{tracing.ADVICE}")
    from vx11_site.logs import traces

    traces.begin()


single_process.claim()
send_traces()
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
