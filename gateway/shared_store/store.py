"""What all processes share and none must lose: Redis, or this process's memory where there is only one process.

Redis is asked from a few threads, each with a connection: django-redis has no asynchronous client, and a command
that is cancelled in the middle, as streams are all the time, could leave its answer to the next one.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import redis
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from gateway.shared_store.ticket_cache import TicketStoreFull

logger = logging.getLogger(__name__)

STORE_THREADS = 4
STORE_WAIT_SECONDS = 1.5

# Every error of a store that cannot do what it was asked.
FAULTS = (ConnectionInterrupted, RedisError, TicketStoreFull, TimeoutError, OSError)

Result = TypeVar("Result")


class StoreUnavailable(Exception):
    """The store is away, refuses or is full: whether it holds a ticket is not known."""


@functools.cache
def the_store() -> BaseCache:
    """One for the process; `caches` would make a new one for every request. Both backends are safe for threads."""
    return caches["tickets"]


@functools.cache
def the_redis() -> "redis.Redis | None":
    """The store's own client, for scripts; None where the store is this process's memory."""
    store = the_store()
    return None if isinstance(store, LocMemCache) else store.client.get_client()  # type: ignore[attr-defined]


async def ask(call: Callable[[], Result], *, wait_seconds: float = STORE_WAIT_SECONDS) -> Result:
    """The store's answer; every way in which it can fail is StoreUnavailable."""
    try:
        if the_redis() is None:
            return call()
        async with asyncio.timeout(wait_seconds):
            return await asyncio.get_running_loop().run_in_executor(_pool(), call)
    except FAULTS as error:
        logger.error("the store of tickets and limits failed: %s", type(error).__name__)
        raise StoreUnavailable from error


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")
