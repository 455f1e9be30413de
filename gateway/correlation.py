"""The correlation id of the current request, for log lines. Imports nothing of ours, because logging needs it first."""

import contextvars

# The value in log lines that belong to no request.
NONE = "-"
current: contextvars.ContextVar[str] = contextvars.ContextVar("correlation_id", default=NONE)
