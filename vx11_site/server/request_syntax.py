"""Checks for ambiguous request heads, which two programs could read differently; they are refused.

Daphne and Twisted check the rest: invalid names, line ends, a length together with chunks. The check runs when the head
is complete, so it does not depend on the pieces in which the head arrived.
"""

import re
from collections.abc import Mapping, Sequence

from twisted.web.http_headers import Headers

# Values by lower-case names.
Fields = Mapping[bytes, Sequence[bytes]]
# All control characters but the tab, which is allowed where a space is.
_CONTROLS = bytes({*range(32), 127} - {ord("\t")})
# Headers that must be ASCII, see _has_plain_token.
_CREDENTIALS = (b"x-vx11-token", b"authorization")
# A name or an address, and a port: no user, no path, no space.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]{1,300}")


def is_clear(headers: Headers, version: bytes) -> bool:
    """Whether every program reads this head in the same way. `version` is b"HTTP/1.1" or b"HTTP/1.0"."""
    # Read once: in Twisted, getting one header costs as much as getting all of them.
    fields = {name.lower(): values for name, values in headers.getAllRawHeaders()}
    for values in fields.values():
        for value in values:
            if value.translate(None, _CONTROLS) != value:
                return False
    return _has_clear_host(fields, version) and _has_clear_length(fields, version) and _has_plain_token(fields)


def _has_clear_host(fields: Fields, version: bytes) -> bool:
    """Whether there is exactly one Host header; HTTP/1.0 needs none."""
    hosts = fields.get(b"host", ())
    if not hosts:
        return version == b"HTTP/1.0"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


def _has_clear_length(fields: Fields, version: bytes) -> bool:
    """Whether the length is unambiguous. `identity` was a coding in old versions, and a proxy may still read it so."""
    codings = fields.get(b"transfer-encoding", ())
    if codings and (version != b"HTTP/1.1" or [coding.lower() for coding in codings] != [b"chunked"]):
        return False
    return not any(b"identity" in value.lower() for value in fields.get(b"te", ()))


def _has_plain_token(fields: Fields) -> bool:
    """Whether credentials are ASCII: of other characters, some programs take for a space what others take for a
    letter.
    """
    for name in _CREDENTIALS:
        for value in fields.get(name, ()):
            if not value.isascii():
                return False
    return True
