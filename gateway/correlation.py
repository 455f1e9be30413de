"""The correlation id of the request being answered, for log lines. Imports nothing of ours: logging comes first."""

import contextvars
import random
import uuid

# What stands in lines that belong to no request.
NONE = "-"
current: contextvars.ContextVar[str] = contextvars.ContextVar("correlation_id", default=NONE)


def new_id() -> str:
    """A uuid that is no secret: reading the system's random numbers takes longer than all else that an id takes."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
