"""Log lines as JSON, one object for each, for programs that collect and search them.

Thirty lines of our own instead of a library: credentials must be masked in every value before it is quoted, because in
quoted text the end of a credential cannot be found, and the libraries have no hook for that.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway import correlation
from gateway.redaction import redact
from vx11_client.terminal_text import shown_json
from vx11_site.logs.text import correlation_id, is_redacted


class JsonFormatter(logging.Formatter):
    """`time`, `level`, `logger`, `message`; `correlation_id` and `exception` if there is one; the record's `fields`.

    Fields are given as `extra={"fields": {...}}`; their texts are redacted like the message.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if exception := self._exception(record):
            line["exception"] = exception
        blot = _as_it_is if is_redacted(record) else redact
        cleaned = {name: _clean(value, blot) for name, value in line.items()}
        # Added after the redaction: it usually is a uuid, and would be masked as a ticket.
        if (current := correlation_id()) != correlation.NONE:
            cleaned["correlation_id"] = current
        return shown_json(orjson.dumps(cleaned, default=str).decode())

    def _exception(self, record: logging.LogRecord) -> str:
        if record.exc_info:
            return self.formatException(record.exc_info)
        return self.formatStack(record.stack_info) if record.stack_info else ""


def _clean(value: Any, blot: Callable[[str], str]) -> Any:
    """Without credentials, and without lone surrogates, which a client may send and UTF-8 cannot encode."""
    return blot(value).encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _as_it_is(text: str) -> str:
    return text
