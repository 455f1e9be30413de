"""Tickets: the ephemeral tokens that open one event stream, within 60 seconds, once.

They are stored in the cache alias "tickets" under the digest of their text; the value names the principal by its public
id and holds nothing that could be used as a credential.
"""

import dataclasses
import functools
import itertools
import logging
from collections.abc import Collection
from typing import Any

from django.conf import settings

from gateway import tokens
from gateway.addresses import address_group
from gateway.filters import Selection
from gateway.identity.lifetimes import longest_ticket_seconds
from gateway.identity.principals import InvalidCredential, Principal, directory
from gateway.shared_store.limits import limiter
from gateway.shared_store.store import FAULTS, ask, the_redis, the_store
from gateway.shared_store.ticket_cache import TicketLocMemCache
from ledger.uptime import uptime_seconds

logger = logging.getLogger(__name__)

KEY_PREFIX = "vx11:sse_token:"
# A used ticket is remembered by its public id until it would have expired, so that the audit can name a ticket that is
# presented a second time: it was stolen, or its holder lost the response.
USED_PREFIX = "vx11:used_ticket:"
# It is remembered a little longer, so that `unused_tickets` still finds the mark of one that was used at once.
USED_MORE_SECONDS = 10
# Valid tickets are counted up to this number.
COUNT_LIMIT = 100_000
# Keys read at a time when tickets are removed from the store.
REMOVE_KEYS = 500
# The key that a check writes, to find out whether the store accepts writes.
PROBE_KEY = "vx11:probe"
PROBE_SECONDS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """The rights that a ticket gives: whose, and to which events. `public_id` names it in audit rows."""

    public_id: str
    principal_id: str
    selection: Selection
    # Of a console user: the ticket is valid only with this session and this password.
    session_id: str = ""
    session_row: str = ""
    generation: str = ""
    # When it was issued, by this process's uptime clock, as far as the store's own clock tells; not stored.
    issued_at: float | None = dataclasses.field(default=None, compare=False)

    def as_json(self) -> dict[str, Any]:
        data = {
            "id": self.public_id,
            "principal": self.principal_id,
            "select": self.selection.as_json(),
            "session": self.session_id,
        }
        return {**data, "row": self.session_row, "generation": self.generation} if self.session_row else data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Ticket":
        selection = Selection.from_json(data["select"])
        # A ticket of the previous release has neither.
        row, generation = data.get("row", ""), data.get("generation", "")
        return cls(data["id"], data["principal"], selection, data["session"], row, generation)

    async def holder(self) -> Principal:
        """The principal that holds it. Raises InvalidCredential if the credential behind it is not valid any more,
        LedgerUnavailable.
        """
        principal = await directory.named(
            self.principal_id, session_id=self.session_id, session_row=self.session_row, ticket_id=self.public_id
        )
        if self.generation and principal.generation != self.generation:
            raise InvalidCredential("password changed", self.principal_id)
        return principal


def new(principal: Principal, selection: Selection) -> Ticket:
    return Ticket(
        public_id=tokens.new_public_id("t"),
        principal_id=principal.public_id,
        selection=selection,
        session_id=principal.session_id,
        session_row=principal.session_row,
        generation=principal.generation,
    )


class Used(Exception):
    """The ticket was used before; `public_id` names it."""

    def __init__(self, public_id: str) -> None:
        super().__init__(public_id)
        self.public_id = public_id


USED_BEFORE = "used before"


class InvalidTicket(InvalidCredential):
    """The ticket opens nothing now. `ticket_id` says which it is, where that is known."""

    def __init__(self, why: str, ticket_id: str = "", principal_id: str = "") -> None:
        super().__init__(why, principal_id)
        self.ticket_id = ticket_id


async def store(text: str, ticket: Ticket, *, address: str) -> None:
    """Make the ticket valid for its lifetime. Raises LimitExceeded, StoreUnavailable."""

    def store_one() -> None:
        _charge(ticket.principal_id, address)
        the_store().set(_key(text), ticket.as_json(), longest_ticket_seconds())

    await ask(store_one)


async def charge(principal_id: str, *, address: str) -> None:
    """Count a request without a ticket towards the rate, as one with a ticket. Raises LimitExceeded,
    StoreUnavailable.
    """
    await ask(functools.partial(_charge, principal_id, address))


async def find(text: str) -> Ticket | None:
    """The valid ticket with this text, without using it up; None if there is none. Raises Used, StoreUnavailable."""
    key, used_key = _key(text), _key(text, USED_PREFIX)
    try:
        found, left_seconds = await ask(functools.partial(_look_up, key, used_key))
        if key in found:
            issued_at = uptime_seconds() - max(0.0, longest_ticket_seconds() - left_seconds)
            return dataclasses.replace(Ticket.from_json(found[key]), issued_at=issued_at)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Written by another version of this program, or by another program: not a ticket that this one can read.
        logger.error("the ticket store holds a value that is no ticket: %s", type(error).__name__)
        return None
    if used_key in found:
        raise Used(str(found[used_key]))
    return None


async def find_valid(text: str) -> tuple[Ticket, Principal]:
    """The ticket of this text and its holder, if it may be used now; uses nothing up.

    Raises InvalidTicket, LedgerUnavailable, StoreUnavailable.
    """
    try:
        ticket = await find(text)
    except Used as used:
        raise InvalidTicket(USED_BEFORE, used.public_id) from None
    if ticket is None:
        raise InvalidTicket("unknown or expired")
    try:
        return ticket, await ticket.holder()
    except InvalidCredential as refused:
        raise InvalidTicket(refused.why, ticket.public_id, refused.public_id) from None


async def use(text: str, ticket: Ticket) -> bool:
    """Use the ticket up. True for exactly one caller, however many try at once. Raises StoreUnavailable."""
    if not settings.SSE_TOKEN_SINGLE_USE:
        return await find(text) is not None

    def use_it() -> bool:
        if not the_store().delete(_key(text)):
            return False
        try:
            the_store().set(_key(text, USED_PREFIX), ticket.public_id, longest_ticket_seconds() + USED_MORE_SECONDS)
        except FAULTS as error:
            # A full Redis still deletes keys: the ticket is used up, so its stream must open.
            logger.warning("a used ticket is not remembered: %s", type(error).__name__)
        return True

    return await ask(use_it)


async def check() -> None:
    """Check that tickets can be issued, by a write: a store that is full or read-only still answers reads.

    Raises StoreUnavailable.
    """
    await ask(functools.partial(the_store().set, PROBE_KEY, 1, PROBE_SECONDS))


async def count() -> int:
    """How many tickets are valid now, counted to COUNT_LIMIT. Raises StoreUnavailable."""
    return await ask(_count)


def remove(public_ids: Collection[str]) -> int:
    """Remove these from the shared store; returns how many it held. Raises what the store raises; synchronous.

    Without Redis they are in the memory of another process, which this one cannot reach.
    """
    store, client, removed = the_store(), the_redis(), 0
    if client is None:
        return removed
    keys = (key.decode() for key in client.scan_iter(f"{KEY_PREFIX}*", count=REMOVE_KEYS))
    while batch := list(itertools.islice(keys, REMOVE_KEYS)):
        found = store.get_many(batch)
        ours = [key for key, value in found.items() if isinstance(value, dict) and value.get("id") in public_ids]
        # One by one: only the result of each deletion tells whether this process, and no other, removed the key.
        removed += sum(1 for key in ours if store.delete(key))
    return removed


def remove_all() -> None:
    """Remove every ticket from the shared store. Raises what the store raises; synchronous; see `remove`."""
    client = the_redis()
    if client is None:
        return
    keys = client.scan_iter(f"{KEY_PREFIX}*", count=REMOVE_KEYS)
    while batch := list(itertools.islice(keys, REMOVE_KEYS)):
        client.delete(*batch)


def used_key(text: str) -> str:
    """Under which the store remembers that the ticket of this text was used."""
    return _key(text, USED_PREFIX)


async def count_used(used_keys: Collection[str]) -> int:
    """How many of these the store remembers as used. Raises StoreUnavailable."""
    return len(await ask(functools.partial(the_store().get_many, used_keys)))


def _look_up(key: str, used_key: str) -> tuple[dict[str, Any], float]:
    """The values there are, and for how many more seconds the ticket is valid."""
    store, client = the_store(), the_redis()
    if client is None:
        left_seconds = store.seconds_left(key) if isinstance(store, TicketLocMemCache) else longest_ticket_seconds()
        return store.get_many([key, used_key]), left_seconds
    with client.pipeline(transaction=False) as pipeline:
        pipeline.mget(key, used_key)
        pipeline.pttl(key)
        values, left_ms = pipeline.execute()
    found = {name: value for name, value in zip((key, used_key), values, strict=True) if value is not None}
    if left_ms > longest_ticket_seconds() * 1000:
        # Redis' wall clock was set back, and the ticket would stay valid for longer than it may.
        found.pop(key, None)
    decoded = {name: store.client.decode(value) for name, value in found.items()}  # type: ignore[attr-defined]  # as below
    return decoded, left_ms / 1000


def _count() -> int:
    store = the_store()
    if isinstance(store, TicketLocMemCache):
        return min(store.count(KEY_PREFIX), COUNT_LIMIT)
    keys = store.iter_keys(f"{KEY_PREFIX}*", itersize=1000)  # type: ignore[attr-defined]  # django-redis has it
    return sum(1 for _ in itertools.islice(keys, COUNT_LIMIT))


def _charge(principal_id: str, address: str) -> None:
    limiter.charge("tickets", principal_id)
    limiter.charge("tickets_by_address", address_group(address))


def _key(text: str, prefix: str = KEY_PREFIX) -> str:
    # A ticket is a uuid, and the case of a uuid's digits has no meaning.
    return prefix + tokens.digest(text.lower())
