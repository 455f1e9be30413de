"""Memory for request bodies that are being received: bounded in total, and shared fairly between senders. Pure: no I/O.

A sender may hold a multiple of the memory that is free at that moment. So a single sender gets most of it, many get
equal parts, and some is always left for the next one. Unknown senders have a small separate limit, because an invented
token costs nothing.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable

# Of all connections with known senders together.
KNOWN_LIMIT_BYTES = 56 * 1024 * 1024
# Of senders without a token, or with an unknown one: one address can send one body of the maximum length at a time.
UNKNOWN_LIMIT_BYTES = 8 * 1024 * 1024
# The first bytes of each body are not counted: the number of connections bounds them.
SMALL_BODY_BYTES = 16 * 1024
# One sender may hold so many times the free rest: two thirds of all when it is alone. With two such senders, a third
# one still has room for a body of the maximum length.
KNOWN_SHARE = 2
# The same for unknown senders: one alone may hold half of their limit.
UNKNOWN_SHARE = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a body: a principal by its public id, otherwise an address."""

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
    """The memory that the bodies of all connections hold beyond their first bytes."""

    def __init__(self) -> None:
        self._parts = {
            True: _Part(KNOWN_LIMIT_BYTES, KNOWN_SHARE),
            False: _Part(UNKNOWN_LIMIT_BYTES, UNKNOWN_SHARE),
        }

    @property
    def held_bytes(self) -> int:
        return sum(part.held_bytes for part in self._parts.values())

    def take(self, sender: Sender, size_bytes: int) -> bool:
        """Take so much more; False if there is no room."""
        return self._parts[sender.known].take(sender.name, size_bytes)

    def give_back(self, sender: Sender, size_bytes: int) -> None:
        self._parts[sender.known].give_back(sender.name, size_bytes)


class Held:
    """The memory that one request's body holds. `sender_of` may recognise the sender only while the body arrives."""

    def __init__(self, room: BodyRoom, sender_of: Callable[[], Sender]) -> None:
        self._room = room
        self._sender_of = sender_of
        self._sender: Sender | None = None
        self._bytes = 0

    def grow_to(self, size_bytes: int) -> bool:
        """Grow to so much in all; False if there is no room."""
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
