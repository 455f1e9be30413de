"""The correlation id of the request being answered, for log lines. Imports nothing of ours: logging comes first."""

import contextvars

current: contextvars.ContextVar[str] = contextvars.ContextVar("correlation_id", default="-")
