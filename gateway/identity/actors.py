"""The current actor, a person in the admin or a command, for audit rows. No Django."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """`name` is a user name or a command, as "manage.py revoke_token"; "" is the program itself."""

    name: str = ""
    address: str = ""
    correlation_id: str = ""


THE_PROGRAM = Actor()

current: contextvars.ContextVar[Actor] = contextvars.ContextVar("actor", default=THE_PROGRAM)


@contextlib.contextmanager
def acting(name: str, *, address: str = "", correlation_id: str = "") -> Iterator[None]:
    """Audit rows that are saved within this block name this actor."""
    token = current.set(Actor(name, address, correlation_id))
    try:
        yield
    finally:
        current.reset(token)
