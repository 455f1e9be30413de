"""Log lines: time, level, correlation id, message; credentials are blotted out wherever they stand."""

import logging
import re
import time

from redis.exceptions import RedisError

from gateway import correlation

# A credential as a query value, under a name that is percent-encoded too, for that may be any name; and our own
# tokens anywhere (tracebacks quote arguments).
_SECRETS = re.compile(
    r"""(?i)(\b(?:(?:access_|sse_)?token|api_key|authorization)=|(?<=[?&])[^\s?&=]*%[^\s?&=]*=)[^&\s"'<>]+"""
    r"|\b(vx11[ps]_)[A-Za-z0-9_-]{16,}"
)


def redact(text: str) -> str:
    """The text with every credential in it replaced by ***."""
    return _SECRETS.sub(lambda found: f"{found[1] or found[2]}***", text)


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
        if isinstance(error, OSError | RedisError):
            record.msg, record.args = "%s: %s", (record.getMessage(), type(error).__name__)
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
