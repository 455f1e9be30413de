"""The correlation id of the request being answered, for log lines. Imports nothing of ours: logging comes first."""

import contextvars

# What stands in lines that belong to no request.
NONE = "-"
current: contextvars.ContextVar[str] = contextvars.ContextVar("correlation_id", default=NONE)
