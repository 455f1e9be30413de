"""The access log: one redacted line for each answered request; it also counts the request in the metrics."""

import functools
import logging
from urllib.parse import quote

from gateway.redaction import redact
from vx11_site.server import request_metrics
from vx11_site.server.http1 import Request

logger = logging.getLogger("vx11.access")

# Of one record, in either format, with its line end. Text from callers must not fill a disk.
RECORD_LIMIT_BYTES = 2048
# In JSON a target stands twice: in the message and in a field. The rest of a record takes less than 512 bytes.
TARGET_LIMIT_CHARACTERS = 736
# The longest method that is registered has 17.
METHOD_LIMIT_CHARACTERS = 24
# The cache of methods is bounded, because callers may send any.
METHODS_KEPT = 32
# The characters of a request line that JSON need not escape.
_AS_IT_IS = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"


def note(request: Request, *, whole: bool) -> None:
    """Log a request when its response has ended; `whole` is false if the client disconnected before."""
    seconds = request.duration()
    request_metrics.count(request.method.decode("latin-1"), request.uri.decode("latin-1"), request.code, seconds)
    if not logger.isEnabledFor(logging.INFO):
        return
    method = _method(request.method)
    target = bounded(request.uri, TARGET_LIMIT_CHARACTERS)
    fields = {
        "method": method,
        "path": target,
        "status": request.code,
        "duration_seconds": round(seconds, 3),
        "sent_bytes": request.body_bytes,
        "whole": whole,
    }
    logger.info(
        "%s %s %s %.3fs %s bytes%s",
        method,
        target,
        request.code,
        seconds,
        request.body_bytes,
        "" if whole else " (the client hung up)",
        extra={"fields": fields, "is_redacted": True},
    )


@functools.lru_cache(maxsize=METHODS_KEPT)
def _method(raw: bytes) -> str:
    return bounded(raw, METHOD_LIMIT_CHARACTERS)


def bounded(raw: bytes, limit_characters: int) -> str:
    """The text redacted and in ASCII; of a long one its beginning and its length."""
    # Redacted before it is cut: half a token would not be found.
    text = redact(raw.decode("latin-1"))
    shown = quote(text[:limit_characters], safe=_AS_IT_IS, encoding="latin-1")
    if len(text) <= limit_characters >= len(shown):
        return shown
    return f"{shown[:limit_characters]}...({len(raw)} characters)"
