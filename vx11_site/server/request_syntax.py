"""What of a request's head two readers could read in two ways, or one could not write in a line: it is refused.

Daphne and Twisted refuse the rest: bad names, line ends, a length beside chunks. Checked when the head is complete, so
it makes no difference in how many pieces it came.
"""

import re
from collections.abc import Mapping, Sequence

from twisted.web.http_headers import Headers

# Values by lower-case names.
Fields = Mapping[bytes, Sequence[bytes]]
# All but a tab, which may stand where a space may.
_CONTROLS = bytes({*range(32), 127} - {ord("\t")})
# A token is visible ASCII; the scheme before it has a space behind it.
_CREDENTIALS = (b"x-vx11-token", b"authorization")
# A name or an address, and a port: no user, no path, no space.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]{1,300}")


def is_clear(headers: Headers, version: bytes) -> bool:
    """Whether every reader takes this head for the same. `version` is b"HTTP/1.1" or b"HTTP/1.0"."""
    # Once for all: Twisted's look at one name costs as much as reading them.
    fields = {name.lower(): values for name, values in headers.getAllRawHeaders()}
    for values in fields.values():
        for value in values:
            if value.translate(None, _CONTROLS) != value:
                return False
    return _has_clear_host(fields, version) and _has_clear_length(fields, version) and _has_plain_token(fields)


def _has_clear_host(fields: Fields, version: bytes) -> bool:
    """Exactly one; HTTP/1.0 knew none."""
    hosts = fields.get(b"host", ())
    if not hosts:
        return version == b"HTTP/1.0"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


def _has_clear_length(fields: Fields, version: bytes) -> bool:
    """`identity` was a coding once, and a proxy may still take what follows it for a body without a length."""
    codings = fields.get(b"transfer-encoding", ())
    if codings and (version != b"HTTP/1.1" or [coding.lower() for coding in codings] != [b"chunked"]):
        return False
    return not any(b"identity" in value.lower() for value in fields.get(b"te", ()))


def _has_plain_token(fields: Fields) -> bool:
    """A letter that one reader takes for a space and another for a part of the token."""
    for name in _CREDENTIALS:
        for value in fields.get(name, ()):
            if not value.isascii():
                return False
    return True
