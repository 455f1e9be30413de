"""Who does what is being done now: a person in the admin, or a command. Audit rows learn it from here. No Django."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """`name` is a user name or, say, "manage.py revoke_token"; "" is the program itself."""

    name: str = ""
    address: str = ""
    correlation_id: str = ""


NOBODY = Actor()

current: contextvars.ContextVar[Actor] = contextvars.ContextVar("actor", default=NOBODY)


@contextlib.contextmanager
def acting(name: str, *, address: str = "", correlation_id: str = "") -> Iterator[None]:
    """Audit rows that are saved within this block are this actor's doing."""
    token = current.set(Actor(name, address, correlation_id))
    try:
        yield
    finally:
        current.reset(token)
