"""What of a request's head two readers could read in two ways, or one could not write in a line: it is refused.

Daphne and Twisted refuse the rest: bad names, line ends, a length beside chunks. Checked when the head is complete, so
it makes no difference in how many pieces it came.
"""

import re

from twisted.web.http_headers import Headers

# All but a tab, which may stand where a space may.
_CONTROLS = bytes({*range(32), 127} - {ord("\t")})
# A token is visible ASCII; the scheme before it has a space behind it.
_CREDENTIALS = (b"x-vx11-token", b"authorization")
# A name or an address, and a port: no user, no path, no space.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]{1,300}")


def is_clear(headers: Headers, version: bytes) -> bool:
    """Whether every reader takes this head for the same. `version` is b"HTTP/1.1" or b"HTTP/1.0"."""
    values = b"".join(value for _, values in headers.getAllRawHeaders() for value in values)
    if len(values.translate(None, _CONTROLS)) != len(values):
        return False
    return _has_clear_host(headers, version) and _has_clear_length(headers, version) and _has_plain_token(headers)


def _has_clear_host(headers: Headers, version: bytes) -> bool:
    """Exactly one; HTTP/1.0 knew none."""
    hosts = headers.getRawHeaders(b"host", ())
    if not hosts:
        return version == b"HTTP/1.0"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


def _has_clear_length(headers: Headers, version: bytes) -> bool:
    """`identity` was a coding once, and a proxy may still take what follows it for a body without a length."""
    codings = headers.getRawHeaders(b"transfer-encoding", ())
    if codings and (version != b"HTTP/1.1" or [coding.lower() for coding in codings] != [b"chunked"]):
        return False
    return not any(b"identity" in value.lower() for value in headers.getRawHeaders(b"te", ()))


def _has_plain_token(headers: Headers) -> bool:
    """A letter that one reader takes for a space and another for a part of the token."""
    for name in _CREDENTIALS:
        for value in headers.getRawHeaders(name, ()):
            if not value.isascii():
                return False
    return True
