"""Memory for bodies that are being received: bounded together, and none can take so much that others get nothing. Pure.

A sender may take a multiple of what is free at that moment. One alone thus gets most of the room, many get equal
parts, and there is always a rest for one who comes later. Senders that are not known have a small room of their own:
a text in a header costs nothing to make up.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable

# Of all connections together.
KNOWN_LIMIT_BYTES = 56 * 1024 * 1024
# Of those whose token is not known here, or who bring none: one of the longest at a time from one address.
UNKNOWN_LIMIT_BYTES = 8 * 1024 * 1024
# The first of each body do not count: there are at most as many of them as connections.
SMALL_BODY_BYTES = 16 * 1024
# How many times the rest that is free one sender may hold: two thirds of the room when it is alone, and when there are
# two of them, another one still gets room for the longest body.
KNOWN_SHARE = 2
# Half of it.
UNKNOWN_SHARE = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Sender:
    """Whose body it is: a principal by its public id, else an address."""

    name: str
    known: bool


class _Part:
    def __init__(self, limit_bytes: int, share: int) -> None:
        self._limit_bytes = limit_bytes
        self._share = share
        self._held: Counter[str] = Counter()
        self.held_bytes = 0

    def take(self, name: str, size_bytes: int) -> bool:
        free = self._limit_bytes - self.held_bytes - size_bytes
        if self._held[name] + size_bytes > self._share * free:
            return False
        self._held[name] += size_bytes
        self.held_bytes += size_bytes
        return True

    def give_back(self, name: str, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        self._held[name] -= size_bytes
        if not self._held[name]:
            del self._held[name]


class BodyRoom:
    """What all connections hold beyond their first bytes."""

    def __init__(self) -> None:
        self._parts = {
            True: _Part(KNOWN_LIMIT_BYTES, KNOWN_SHARE),
            False: _Part(UNKNOWN_LIMIT_BYTES, UNKNOWN_SHARE),
        }

    @property
    def held_bytes(self) -> int:
        return sum(part.held_bytes for part in self._parts.values())

    def take(self, sender: Sender, size_bytes: int) -> bool:
        """Whether there is room for so much more."""
        return self._parts[sender.known].take(sender.name, size_bytes)

    def give_back(self, sender: Sender, size_bytes: int) -> None:
        self._parts[sender.known].give_back(sender.name, size_bytes)


class Held:
    """What the body of one request holds. Whose it is, `sender_of` says; it may come to know while the body comes."""

    def __init__(self, room: BodyRoom, sender_of: Callable[[], Sender]) -> None:
        self._room = room
        self._sender_of = sender_of
        self._sender: Sender | None = None
        self._bytes = 0

    def grow_to(self, size_bytes: int) -> bool:
        """Whether there is room for so much in all."""
        if self._sender is None or not self._sender.known:
            self.release()
            self._sender = self._sender_of()
        if not self._room.take(self._sender, size_bytes - self._bytes):
            return False
        self._bytes = size_bytes
        return True

    def release(self) -> None:
        if self._sender is not None and self._bytes:
            self._room.give_back(self._sender, self._bytes)
        self._bytes = 0
