"""The access log: one redacted line for each request that was answered, and its share in the figures."""

import logging

from vx11_site import traffic
from vx11_site.http1 import Request
from vx11_site.logging import redact

logger = logging.getLogger("vx11.access")


def note(request: Request, *, whole: bool) -> None:
    """When the answer has ended; not `whole` if it was the client who ended it."""
    method = request.method.decode("ascii", "replace")
    path = redact(request.uri.decode("ascii", "backslashreplace"))
    seconds = request.duration()
    traffic.count(method, path, request.code, seconds)
    fields = {
        "method": method,
        "path": path,
        "status": request.code,
        "duration_seconds": round(seconds, 3),
        "sent_bytes": request.body_bytes,
        "whole": whole,
    }
    logger.info(
        "%s %s %s %.3fs %s bytes%s",
        method,
        path,
        request.code,
        seconds,
        request.body_bytes,
        "" if whole else " (the client hung up)",
        extra={"fields": fields},
    )
