"""Log lines as text: time, level, correlation id, message; all credentials are masked."""

import logging
import sys
import time

from gateway import correlation
from gateway.redaction import is_credential, redact
from vx11_client.terminal_text import shown_lines

# Put before each further line of a record, so that it cannot be mistaken for a record.
CONTINUATION = "  "


class RedactingFormatter(logging.Formatter):
    """One line per record, in UTC; a traceback follows it, redacted and indented. Control characters are escaped."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage() if is_redacted(record) else redact(record.getMessage())
        lines = [shown_lines(message).replace("\n", "\\n")]
        if record.exc_info:
            lines.append(shown_lines(redact(self.formatException(record.exc_info))))
        if record.stack_info:
            lines.append(shown_lines(redact(self.formatStack(record.stack_info))))
        head = f"{self.formatTime(record)} {record.levelname} {record.name} [{correlation_id()}]"
        return f"{head} " + "\n".join(lines).replace("\n", f"\n{CONTINUATION}")


def is_redacted(record: logging.LogRecord) -> bool:
    """Whether the caller has redacted it already: the access log does, in a faster way, for its line of each
    request.
    """
    return getattr(record, "is_redacted", False)


def correlation_id() -> str:
    """The id of the current request, masked if a caller has put its token there."""
    current = correlation.current.get()
    return "***" if is_credential(current) else current


class ExpectedFaults(logging.Filter):
    """Logs a dependency that is away as one line, without the traceback of a library: it is no bug."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OSError) or _is_of_redis(error):
            record.msg, record.args = "%s: %s", (record.getMessage(), type(error).__name__)
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def _is_of_redis(error: BaseException | None) -> bool:
    # redis-py is not imported for this: if it was not imported before, it has raised nothing.
    exceptions = sys.modules.get("redis.exceptions")
    return exceptions is not None and isinstance(error, exceptions.RedisError)
