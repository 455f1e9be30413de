"""Log lines: time, level, correlation id, message; credentials are blotted out wherever they stand."""

import functools
import logging
import re
import sys
import time
from urllib.parse import quote

from django.conf import settings

from gateway import correlation

# A credential as a query value, under a name that is percent-encoded too, for that may be any name; a ticket under
# whatever name somebody typed; and our own tokens anywhere (tracebacks quote arguments).
_SECRETS = re.compile(
    r"""(?i)(\b(?:(?:access_|sse_)?token|api_key|authorization)=|(?<=[?&])[^\s?&=]*%[^\s?&=]*=)[^&\s"'<>]+"""
    r"|(?<=[?&])(?!correlation_id=)([^\s?&=]+=)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\b(vx11[ps]_)[A-Za-z0-9_-]{16,}"
)


def redact(text: str) -> str:
    """The text with every credential in it replaced by ***."""
    given = _given()
    if given is not None:
        text = given.sub("***", text)
    return _SECRETS.sub(lambda found: f"{found[1] or found[2] or found[3]}***", text)


@functools.cache
def _given() -> re.Pattern[str] | None:
    """Secrets that the environment gave, which may look like anything: wherever they stand, as they are or quoted."""
    secrets = {*settings.PRINCIPAL_TOKENS, *settings.SERVICE_TOKENS, settings.SECRET_KEY}
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    # The longest first: one may begin with another.
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None


class RedactingFormatter(logging.Formatter):
    """One line per record, UTC; a traceback follows it, redacted too."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(correlation_id)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.correlation_id = correlation.current.get()
        return redact(super().format(record))


class ExpectedFaults(logging.Filter):
    """A dependency that is away is no bug: one line says so, without the traceback that a library adds to it."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OSError) or _is_of_redis(error):
            record.msg, record.args = "%s: %s", (record.getMessage(), type(error).__name__)
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def _is_of_redis(error: BaseException | None) -> bool:
    # redis-py is not imported for this alone: where it is not, it raised nothing.
    exceptions = sys.modules.get("redis.exceptions")
    return exceptions is not None and isinstance(error, exceptions.RedisError)
