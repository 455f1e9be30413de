"""What can go wrong for a program that publishes or follows, one exception for each decision it can take. Pure.

ClientError
  InvalidSettings    the address or the token cannot be used: correct the configuration
  InvalidEvent       the event cannot be sent: correct the program that made it
  ServerRefused      401, 403 or a wrong address: trying again does not help (module http_answers)
  EventsRefused      the server refused these events and stored the others
  NotDelivered       the time was over: publish the same events again, nothing is doubled
  QueueFull          the queue of the publisher is full, and it does not wait, or has waited long enough
  PublisherClosed    the publisher was used after close()
  StreamEnded        the server ended the stream and gives no other one (module stream_reader)
"""

import dataclasses
from collections.abc import Sequence
from typing import Any


class ClientError(Exception):
    """Base of all exceptions that this library raises on purpose."""


class InvalidSettings(ClientError, ValueError):
    """The address, the token or another argument cannot be used. Never shows the token."""


class InvalidEvent(ClientError, ValueError):
    """The event is not JSON, lacks a field or is larger than a server takes. Nothing was sent."""


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """One event that is durable in the log.

    `seq` is its place: without holes, in the order of the log. `cursor` is the position of the last event of the same
    request: a reader that starts there gets what came after.
    """

    event_id: str
    seq: int
    cursor: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """One event that the server will never take, and its reason (`events[2].summary: at most 500 characters`)."""

    event: dict[str, Any]
    reason: str


class EventsRefused(ClientError):
    """The server refused the events in `refused`; those in `published` are in the log. Correct them, do not repeat."""

    def __init__(self, refused: Sequence[Refused], published: Sequence[Published]) -> None:
        self.refused = list(refused)
        self.published = list(published)
        first = self.refused[0].reason
        super().__init__(f"the server refused {len(self.refused)} of {len(refused) + len(published)} events: {first}")


class NotDelivered(ClientError):
    """The server did not confirm `events` in time; whether it has them is not known.

    Each has its `event_id`: publish exactly these again, and the server recognises those that it has. `published` are
    the events of the same call that are in the log.
    """

    def __init__(
        self,
        reason: str,
        *,
        events: Sequence[dict[str, Any]],
        published: Sequence[Published] = (),
        refused: Sequence[Refused] = (),
    ) -> None:
        self.events = list(events)
        self.published = list(published)
        self.refused = list(refused)
        super().__init__(f"{len(self.events)} events were not delivered: {reason}")
        self.add_note("Publish error.events again later: their event_ids make sure that nothing is doubled.")


class QueueFull(ClientError):
    """The queue of the publisher is full; the event was not taken. Wait, drop the event, or make the queue larger."""


class PublisherClosed(ClientError):
    """The publisher was closed. Use it inside its `with` block, or make a new one."""
