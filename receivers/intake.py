"""From mapped records to events that the log takes, and into the log: the same for all receivers.

A request is taken whole or refused whole, in one transaction. Records that say nothing are left out and counted, where
the format has a way to say so.
"""

import dataclasses
import datetime
import hashlib
import re
from collections.abc import Iterable

from events.http.publishing import publish
from events.log import RESERVED_PREFIXES, RESERVED_TYPES, Appended, Defaults, Invalid, NewEvent, Submission, read_event
from events.metrics import EVENTS_PUBLISHED
from gateway.http.errors import ApiError
from gateway.identity.principals import Principal
from receivers import metrics
from vx11_client.feeding.feed_mapping import FeedMapping
from vx11_client.wire_names import MODULE_FORM, TYPE_FORM

# In one request. Shippers pack more than our own clients: the SDK of OpenTelemetry 512, promtail 1 MiB of lines. It is
# still one transaction, in which the head of the log is locked for some tenths of a second at most.
RECEIVE_LIMIT_EVENTS = 5_000
# Ids of events are at most 64 characters: a prefix, and so much of a digest.
DIGEST_CHARACTERS = 40
# What a type of another program becomes if it is one of the server's own.
FOREIGN_PREFIX = "ext."

_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")

Fields = dict[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and what its events have where they do not say it."""

    principal: Principal
    correlation_id: str

    def mapping(self, *, event_type: str) -> FeedMapping:
        """The mapping of foreign records. Times without a zone are in UTC: where the sender stands is not known."""
        return FeedMapping(event_type=event_type, guess_severity=True, timezone=datetime.UTC)

    def module_of(self, *names: object) -> Fields:
        """The first of the names that is one, as the event's module; empty if the token has a module of its own."""
        if self.principal.publishes_for is not None:
            return {}
        found = next((name for name in names if isinstance(name, str) and name), "")
        module = _NO_NAME.sub("-", found)[:64].strip("-")
        return {"module": module} if MODULE_FORM.fullmatch(module) else {}


@dataclasses.dataclass(slots=True)
class Received:
    """What a request holds: events, and how many records were left out."""

    events: list[NewEvent] = dataclasses.field(default_factory=list)
    rejected_count: int = 0

    def add(self, fields: Fields, sender: Sender) -> None:
        """One more event. Raises ApiError that names it by its number."""
        index = len(self.events)
        refuse_many(index + 1)
        own = sender.principal.publishes_for
        if own is not None and fields.get("module", own) != own:
            raise ApiError("insufficient_scope", title=f"This token publishes for {own} only; event {index} does not.")
        try:
            event = read_event(fields, Defaults(sender.principal.default_module, sender.correlation_id))
        except Invalid as invalid:
            errors = {f"events[{index}].{name}": problems for name, problems in invalid.errors.items()}
            raise ApiError("payload_too_large" if invalid.too_large else "validation_error", errors=errors) from None
        self.events.append(event)

    def add_repeatable(self, fields: Fields, event_id: str, sender: Sender) -> None:
        """One more event that its sender may send again: the same id is the same event, whatever else has changed."""
        self.add({**fields, "event_id": event_id}, sender)
        digest = event_id.rpartition("-")[2]
        self.events[-1] = dataclasses.replace(self.events[-1], fingerprint=digest[:32])


def refuse_many(count: int) -> None:
    """Raises ApiError for more events than a request may have."""
    if count > RECEIVE_LIMIT_EVENTS:
        raise ApiError(
            "payload_too_large", title=f"At most {RECEIVE_LIMIT_EVENTS} events in one request; send less at once."
        )


def id_of(prefix: str, *parts: str) -> str:
    """An event's id made of what names it in its own format: the same parts are the same id."""
    return f"{prefix}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:DIGEST_CHARACTERS]}"


def event_type_of(name: str, *, default: str) -> str:
    """A type of another program as a type of an event."""
    found = _NO_NAME.sub("-", name).lower()[: 64 - len(FOREIGN_PREFIX)].strip("-")
    if not TYPE_FORM.fullmatch(found):
        return default
    return FOREIGN_PREFIX + found if found in RESERVED_TYPES or found.startswith(RESERVED_PREFIXES) else found


async def store(receiver: str, received: Received, sender: Sender) -> Appended | None:
    """Commit all of it; None if there is nothing. One event was charged before. Raises what publish() raises."""
    if received.rejected_count:
        metrics.REJECTED_RECORDS.labels(receiver).inc(received.rejected_count)
    if not received.events:
        return None
    submission = Submission(sender.principal.public_id, received.events, batch=True)
    appended = await publish(submission, charged=1)
    EVENTS_PUBLISHED.inc(appended.fresh)
    metrics.RECEIVED_EVENTS.labels(receiver).inc(appended.fresh)
    return appended


def first_text(values: Iterable[object]) -> str:
    """The first that is a text and not empty; "" without one."""
    return next((value for value in values if isinstance(value, str) and value.strip()), "")
