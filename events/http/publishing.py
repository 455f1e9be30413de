"""The one way in which a request becomes events: checked, bounded, committed, then published to readers."""

from typing import Any

from events import log
from events.log import (
    BATCH_LIMIT_EVENTS,
    Appended,
    Cursor,
    Defaults,
    Invalid,
    NewEvent,
    Submission,
    read_event,
    read_key,
    unknown_fields,
)
from events.stream.relay import the_relay
from gateway.http.errors import ApiError
from gateway.identity.principals import Principal
from gateway.shared_store.limits import LimitExceeded, limiter, rate_of
from ledger.writer import writer

# A full request is 500 events in 4 MiB.
REFUSED_BYTES_PER_EVENT = 8 * 1024


def read_submission(body: dict[str, Any], principal: Principal, *, correlation_id: str, key: str | None) -> Submission:
    """One event, or a batch under `events`. Raises ApiError that names the index and the fields."""
    try:
        key = read_key(key)
        defaults = Defaults(principal.default_module, correlation_id, key)
        events = _read_batch(body, key, defaults) if "events" in body else [read_event(body, defaults)]
    except Invalid as invalid:
        if invalid.too_large:
            raise ApiError("payload_too_large", title="An event is too large.", errors=invalid.errors) from None
        raise ApiError("validation_error", errors=invalid.errors) from None
    for index, event in enumerate(events):
        _refuse_foreign_module(event, index, principal)
    return Submission(principal.public_id, events, key, batch="events" in body)


async def admit(publisher: str) -> None:
    """Charge for one event, before it is known how many a request holds. Raises LimitExceeded."""
    await limiter.spend_reserved("published_events", publisher, cost=1)


async def charge_refused(publisher: str, body_bytes: int) -> None:
    """Charge a body that was read and refused as the events that its bytes could have held: reading took as long."""
    cost = body_bytes // REFUSED_BYTES_PER_EVENT
    try:
        if cost:
            await limiter.spend_reserved("published_events", publisher, cost=cost)
    except LimitExceeded:
        # Else each event that is still reserved would let another such body in.
        limiter.forget_reserve("published_events", publisher)


async def publish(submission: Submission, *, charged: int = 0) -> Appended:
    """Commit; when this returns, the events are durable. So many of them were charged for already.

    Raises IdempotencyConflict, LimitExceeded, ApiError for a batch that the rate can never let pass, LedgerUnavailable.
    """
    count = len(submission.events)
    rate = rate_of("published_events")
    if rate is not None and count > rate[0]:
        # Not 429: waiting would not help, smaller batches do.
        title = f"A token may publish {rate[0]} events in {rate[1]} s; send no more than that at once."
        raise ApiError("payload_too_large", title=title)
    if count > charged:
        await limiter.spend_reserved("published_events", submission.publisher, cost=count - charged)
    # Without a running relay, other processes would find these events only by polling the log.
    await the_relay().start()
    size_bytes = sum(len(event.payload) + len(event.summary) + 512 for event in submission.events)
    appended: Appended = await writer.commit(
        log.append_many, submission, rows=len(submission.events), size_bytes=size_bytes
    )
    return appended


def published(appended: Appended, *, batch: bool) -> dict[str, Any]:
    """The answer to a publisher: where its events are in the log."""
    events = [{"event_id": event_id, "seq": seq} for event_id, seq in appended.ids]
    cursor = str(Cursor(appended.epoch, max(seq for _, seq in appended.ids)))
    return {"events": events, "cursor": cursor, "new": appended.fresh} if batch else {**events[0], "cursor": cursor}


def _read_batch(body: dict[str, Any], key: str | None, defaults: Defaults) -> list[NewEvent]:
    batch = body["events"]
    if errors := unknown_fields(body, ("events",)):
        raise Invalid(errors)
    if key is not None:
        raise Invalid({"Idempotency-Key": ["goes with single events; in a batch, give each an event_id"]})
    if not isinstance(batch, list) or not batch:
        raise Invalid({"events": ["must be a list of at least one event"]})
    if len(batch) > BATCH_LIMIT_EVENTS:
        raise Invalid({"events": [f"at most {BATCH_LIMIT_EVENTS} events in one request"]})
    events = []
    for index, data in enumerate(batch):
        try:
            events.append(read_event(data, defaults))
        except Invalid as invalid:
            errors = {f"events[{index}].{name}": problems for name, problems in invalid.errors.items()}
            raise Invalid(errors, too_large=invalid.too_large) from None
    return events


def _refuse_foreign_module(event: NewEvent, index: int, principal: Principal) -> None:
    own = principal.publishes_for
    if own is not None and event.module != own:
        title = f"This token publishes for {own} only; event {index} names another module."
        raise ApiError("insufficient_scope", title=title)
