"""Tickets: the ephemeral tokens that open one event stream, within 60 seconds, once.

They live in the cache alias "tickets" under the digest of their text; the value names the principal by its
public id and holds nothing that could be used as a credential.
"""

import asyncio
import dataclasses
import functools
import itertools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from gateway import tokens
from gateway.filters import Selection
from gateway.principals import Principal
from gateway.ticket_cache import TicketLocMemCache, TicketStoreFull

logger = logging.getLogger(__name__)

KEY_PREFIX = "vx11:sse_token:"
# How far valid tickets are counted.
COUNT_LIMIT = 100_000
# Written to find out whether the store takes anything.
PROBE_KEY = "vx11:probe"
PROBE_SECONDS = 5
# Threads that talk to Redis, each with a connection: django-redis has no asynchronous client.
STORE_THREADS = 4
STORE_WAIT_SECONDS = 1.5

Result = TypeVar("Result")


class TicketStoreUnavailable(Exception):
    """The store is away, refuses or is full: nothing can be said about any ticket."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket stands for: who may read what. `public_id` names it in audit rows."""

    public_id: str
    principal_id: str
    selection: Selection
    # Of a console user: signing out of it ends the ticket too.
    session_id: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.public_id,
            "principal": self.principal_id,
            "select": self.selection.as_json(),
            "session": self.session_id,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Ticket":
        return cls(data["id"], data["principal"], Selection.from_json(data["select"]), data["session"])


def new(principal: Principal, selection: Selection) -> Ticket:
    return Ticket(tokens.new_public_id("t"), principal.public_id, selection, principal.session_id)


async def store(text: str, ticket: Ticket) -> None:
    """Make the ticket valid for its lifetime. Raises TicketStoreUnavailable."""
    store_one = functools.partial(the_store().set, _key(text), ticket.as_json(), settings.SSE_TOKEN_TTL_SECONDS)
    await _ask(store_one)


async def find(text: str) -> Ticket | None:
    """The ticket of this text while it is valid; uses nothing up. Raises TicketStoreUnavailable."""
    try:
        data = await _ask(functools.partial(the_store().get, _key(text)))
        return None if data is None else Ticket.from_json(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Written by another version of this program, or by somebody else: whatever it is, it is no ticket of ours.
        logger.error("the ticket store holds what is no ticket: %s", type(error).__name__)
        return None


async def use(text: str) -> bool:
    """Use the ticket up. True for exactly one caller, however many try at once. Raises TicketStoreUnavailable."""
    if not settings.SSE_TOKEN_SINGLE_USE:
        return await find(text) is not None
    return bool(await _ask(functools.partial(the_store().delete, _key(text))))


async def check() -> None:
    """Whether tickets can be issued now: a store that is full or read-only still answers when asked for one.

    Raises TicketStoreUnavailable.
    """
    await _ask(functools.partial(the_store().set, PROBE_KEY, 1, PROBE_SECONDS))


async def count() -> int:
    """How many tickets are valid now, counted to COUNT_LIMIT. Raises TicketStoreUnavailable."""
    return await _ask(_count)


def _count() -> int:
    store = the_store()
    if isinstance(store, TicketLocMemCache):
        return min(len(store), COUNT_LIMIT)
    keys = store.iter_keys(f"{KEY_PREFIX}*", itersize=1000)  # type: ignore[attr-defined]  # django-redis has it
    return sum(1 for _ in itertools.islice(keys, COUNT_LIMIT))


def _key(text: str) -> str:
    # A ticket is a uuid, and uuids are equal whatever the case of their digits.
    return KEY_PREFIX + tokens.digest(text.lower())


@functools.cache
def the_store() -> BaseCache:
    """One for the process; `caches` would make a new one for every request. Both backends are safe for threads."""
    return caches["tickets"]


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="tickets")


async def _ask(call: Callable[[], Result]) -> Result:
    """The store's answer; every way in which it can fail is TicketStoreUnavailable."""
    try:
        if isinstance(the_store(), LocMemCache):
            return call()
        async with asyncio.timeout(STORE_WAIT_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(_pool(), call)
    except (ConnectionInterrupted, RedisError, TicketStoreFull, TimeoutError, OSError) as error:
        logger.error("the ticket store failed: %s", type(error).__name__)
        raise TicketStoreUnavailable from error
