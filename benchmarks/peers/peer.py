"""What a load client knows of a server, whichever it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A running server.

    Requests are whole and made ready: `openings` are taken in turn by the streams, `publish` holds marks.PLACE.
    A stream is live, and misses nothing from then on, when `live` stands in what it has received.
    """

    name: str
    port: int
    # All processes that serve; not what they use (Redis, PostgreSQL).
    pids: tuple[int, ...]
    openings: tuple[bytes, ...]
    live: bytes
    publish: bytes
    # Statuses of an answer to `publish` that say it was taken.
    published: tuple[int, ...] = (200,)
    # Of further processes that serve the same.
    more_ports: tuple[int, ...] = ()

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, *self.more_ports)

    def port_for(self, number: int, *, of: int) -> int:
        """Where one of so many streams is opened: the first part of them here, the next there."""
        # Not in turn: every tenth is timed, and with two processes those would all be in one.
        return self.ports[number * len(self.ports) // of]
