"""Tickets: the ephemeral tokens that open one event stream, within 60 seconds, once.

They live in the cache alias "tickets" under the digest of their text; the value names the principal by its
public id and holds nothing that could be used as a credential.
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
from gateway.identity.principals import InvalidCredential, Principal, directory
from gateway.shared_store.limits import limiter
from gateway.shared_store.store import FAULTS, ask, the_redis, the_store
from gateway.shared_store.ticket_cache import TicketLocMemCache

logger = logging.getLogger(__name__)

KEY_PREFIX = "vx11:sse_token:"
# Until its time is over, a used ticket is remembered by its public id: whoever brings it again has stolen it or lost
# its own answer, and the audit shall say which ticket it was.
USED_PREFIX = "vx11:used_ticket:"
# How far valid tickets are counted.
COUNT_LIMIT = 100_000
# Read at a time when tickets are taken out of the store.
REMOVE_KEYS = 500
# Written to find out whether the store takes anything.
PROBE_KEY = "vx11:probe"
PROBE_SECONDS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket stands for: who may read what. `public_id` names it in audit rows."""

    public_id: str
    principal_id: str
    selection: Selection
    # Of a console user: the ticket ends with the session, and with the password that the user had.
    session_id: str = ""
    session_row: str = ""
    generation: str = ""

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
        # A ticket of the release before this one has neither.
        row, generation = data.get("row", ""), data.get("generation", "")
        return cls(data["id"], data["principal"], selection, data["session"], row, generation)

    async def holder(self) -> Principal:
        """Whose it is, while what it was issued by holds. Raises InvalidCredential, LedgerUnavailable."""
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
    """The ticket was used before; `public_id` says which it was."""

    def __init__(self, public_id: str) -> None:
        super().__init__(public_id)
        self.public_id = public_id


async def store(text: str, ticket: Ticket, *, address: str) -> None:
    """Make the ticket valid for its lifetime. Raises LimitExceeded, StoreUnavailable."""

    def store_one() -> None:
        _charge(ticket.principal_id, address)
        the_store().set(_key(text), ticket.as_json(), settings.SSE_TOKEN_TTL_SECONDS)

    await ask(store_one)


async def charge(principal_id: str, *, address: str) -> None:
    """Count a request that gets no ticket as one that does. Raises LimitExceeded, StoreUnavailable."""
    await ask(functools.partial(_charge, principal_id, address))


async def find(text: str) -> Ticket | None:
    """The ticket of this text while it is valid; uses nothing up. Raises Used, StoreUnavailable."""
    key, used_key = _key(text), _key(text, USED_PREFIX)
    try:
        found = await ask(functools.partial(_look_up, key, used_key))
        if key in found:
            return Ticket.from_json(found[key])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Written by another version of this program, or by somebody else: whatever it is, it is no ticket of ours.
        logger.error("the ticket store holds what is no ticket: %s", type(error).__name__)
        return None
    if used_key in found:
        raise Used(str(found[used_key]))
    return None


async def use(text: str, ticket: Ticket) -> bool:
    """Use the ticket up. True for exactly one caller, however many try at once. Raises StoreUnavailable."""
    if not settings.SSE_TOKEN_SINGLE_USE:
        return await find(text) is not None

    def use_it() -> bool:
        if not the_store().delete(_key(text)):
            return False
        try:
            the_store().set(_key(text, USED_PREFIX), ticket.public_id, settings.SSE_TOKEN_TTL_SECONDS)
        except FAULTS as error:
            # A Redis that is full still deletes: the ticket is used up, and its stream must open.
            logger.warning("a used ticket is not remembered: %s", type(error).__name__)
        return True

    return await ask(use_it)


async def check() -> None:
    """Whether tickets can be issued now: a store that is full or read-only still answers when asked for one.

    Raises StoreUnavailable.
    """
    await ask(functools.partial(the_store().set, PROBE_KEY, 1, PROBE_SECONDS))


async def count() -> int:
    """How many tickets are valid now, counted to COUNT_LIMIT. Raises StoreUnavailable."""
    return await ask(_count)


def remove(public_ids: Collection[str]) -> int:
    """Take these out of the shared store; how many were there. Raises what the store raises; synchronous.

    Without Redis they are in another process's memory, which this one cannot reach.
    """
    store, client, removed = the_store(), the_redis(), 0
    if client is None:
        return removed
    keys = (key.decode() for key in client.scan_iter(f"{KEY_PREFIX}*", count=REMOVE_KEYS))
    while batch := list(itertools.islice(keys, REMOVE_KEYS)):
        found = store.get_many(batch)
        ours = [key for key, value in found.items() if isinstance(value, dict) and value.get("id") in public_ids]
        # One by one: only what a key's deletion says tells that nobody else was quicker.
        removed += sum(1 for key in ours if store.delete(key))
    return removed


def remove_all() -> None:
    """Take every ticket out of the shared store. Raises what the store raises; synchronous; see `remove`."""
    client = the_redis()
    if client is None:
        return
    keys = client.scan_iter(f"{KEY_PREFIX}*", count=REMOVE_KEYS)
    while batch := list(itertools.islice(keys, REMOVE_KEYS)):
        client.delete(*batch)


def _look_up(key: str, used_key: str) -> dict[str, Any]:
    store, client = the_store(), the_redis()
    if client is None:
        return store.get_many([key, used_key])
    with client.pipeline(transaction=False) as pipeline:
        pipeline.mget(key, used_key)
        pipeline.pttl(key)
        values, left_ms = pipeline.execute()
    found = {name: value for name, value in zip((key, used_key), values, strict=True) if value is not None}
    if left_ms > settings.SSE_TOKEN_TTL_SECONDS * 1000:
        # Redis' wall clock was put back, and the ticket would live until it is again what it was.
        found.pop(key, None)
    return {name: store.client.decode(value) for name, value in found.items()}  # type: ignore[attr-defined]  # as below


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
    # A ticket is a uuid, and uuids are equal whatever the case of their digits.
    return prefix + tokens.digest(text.lower())
