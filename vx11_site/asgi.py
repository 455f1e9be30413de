"""The ASGI application: streams to the consumer, requests with a token to the lean handler, browsers to Django."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vx11_site.settings")
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter  # noqa: E402 - needs the apps to be loaded

from events.routing import STREAM_PATHS, stream_application  # noqa: E402 - as above
from gateway.asgi import Receive, Scope, Send  # noqa: E402 - as above
from gateway.rest import LeanHandler, OrdinaryHandler  # noqa: E402 - as above
from vx11_site import single_process  # noqa: E402 - as above

LEAN_PATHS = frozenset({"/health", "/ready", "/metrics"})
LEAN_PREFIX = "/operator/api/"
# Django's and DRF's synchronous views under the same prefix.
ORDINARY_PREFIXES = ("/operator/api/schema/", "/operator/api/docs/")
TOKEN_HEADERS = frozenset({b"x-vx11-token", b"authorization"})

_lean = LeanHandler()
_ordinary = OrdinaryHandler()


def is_lean(scope: Scope) -> bool:
    """Whether a request needs neither session nor CSRF: it brings a token, or no cookie at all."""
    path: str = scope["path"]
    if path in LEAN_PATHS:
        names = {name for name, value in scope["headers"] if value}
        return bool(names & TOKEN_HEADERS) or b"cookie" not in names
    if not path.startswith(LEAN_PREFIX) or path.startswith(ORDINARY_PREFIXES):
        return False
    names = {name for name, value in scope["headers"] if value}
    return bool(names & TOKEN_HEADERS) or b"cookie" not in names


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] in STREAM_PATHS:
        await stream_application(scope, receive, send)
    elif is_lean(scope):
        await _lean(scope, receive, send)
    else:
        await _ordinary(scope, receive, send)


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing here speaks WebSocket: the handshake is refused."""
    await receive()
    await send({"type": "websocket.close"})


single_process.claim()
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
