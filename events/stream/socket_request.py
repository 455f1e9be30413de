"""What a request for a stream over WebSocket asks, before it is known who asks: a handshake (RFC 6455, section 4.2)."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from events.stream.socket_frames import accept_key
from events.stream.stream_request import StreamRequest, read_asked, refuse_host
from gateway.http import headers
from gateway.http.errors import ApiError

ALLOW = "GET, OPTIONS"
HANDSHAKE_VERSION = "13"
# A server that can make a socket of a request offers it by this name in the scope's extensions, if one is asked for.
EXTENSION = "vx11.socket"
MISSING = "This address speaks WebSocket: open it by new WebSocket(...). The stream for others is at events/stream."


def read_socket_request(scope: Mapping[str, Any]) -> StreamRequest:
    """Everything that can be checked without knowing the caller. Raises ApiError, BadFilter."""
    raw = scope["headers"]
    # Before all other checks: a token in a URL has leaked, and that goes on record.
    query = headers.query_of(scope.get("query_string", b""))
    if scope["method"] != "GET":
        raise ApiError("method_not_allowed", headers={"Allow": ALLOW})
    refuse_host(raw)
    _refuse_cross_site(raw)
    if EXTENSION not in scope.get("extensions", {}):
        raise ApiError("bad_request", title=MISSING)
    if headers.all_values(raw, b"sec-websocket-version") != [HANDSHAKE_VERSION]:
        known = {"Sec-WebSocket-Version": HANDSHAKE_VERSION}
        raise ApiError("bad_request", title=f"WebSocket is spoken here in version {HANDSHAKE_VERSION}.", headers=known)
    if _accept_key(raw) is None:
        raise ApiError("bad_request", title="Sec-WebSocket-Key is not one.")
    return read_asked(raw, query)


def accepted(scope: Mapping[str, Any]) -> Mapping[str, str]:
    """The headers of the answer to a handshake that was read."""
    key = _accept_key(scope["headers"]) or ""
    return {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": key}


def _accept_key(raw: headers.RawHeaders) -> str | None:
    keys = headers.all_values(raw, b"sec-websocket-key")
    return accept_key(keys[0]) if len(keys) == 1 else None


def _refuse_cross_site(raw: headers.RawHeaders) -> None:
    """A browser lets any page open a socket to any server, and says which page it was: ours may, and other programs."""
    origins = headers.all_values(raw, b"origin")
    if not origins:
        return
    hosts = headers.all_values(raw, b"host")
    is_own = len(origins) == 1 and len(hosts) == 1 and origins[0].partition("://")[2].lower() == hosts[0].lower()
    if not is_own and (len(origins) != 1 or origins[0] not in settings.ALLOWED_ORIGINS):
        raise ApiError("cross_site")
