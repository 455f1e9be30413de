"""How often a principal or an address may do something, counted for all processes together.

The `limits` library counts in fixed windows that begin with the first use. In Redis one script adds and reads in one
step, so that no two processes can both be the last; without Redis, this process's memory counts.
"""

import asyncio
import contextlib
import dataclasses
import functools
import math
import threading
import time
from typing import Any

import redis
from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from gateway import metrics
from gateway.shared_store import store
from gateway.shared_store.store import StoreUnavailable

REDIS_PREFIX = "vx11:limit"
# Counts kept in memory; beyond, what was begun first is forgotten.
MEMORY_LIMIT_KEYS = 100_000
# Where a request must not wait for Redis: if it does not answer in the first time, this process counts alone, and asks
# it again after the second.
SHARED_WAIT_SECONDS = 0.25
SHARED_PAUSE_SECONDS = 5.0
# Publishing reserves this share of its rate at a time, and asks Redis again when that is used up.
RESERVED_SHARE = 1 / 20


class LimitExceeded(Exception):
    """Too often; after `retry_after_seconds` it can be tried again."""

    def __init__(self, name: str, retry_after_seconds: int) -> None:
        super().__init__(f"too many {name}")
        self.name = name
        self.retry_after_seconds = retry_after_seconds


# KEYS: the count. ARGV: the window's length, how much is added. Redis notes by its wall clock when a key ends; once
# that is put back, a window that has longer to go than it is long gets its own length again.
_COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
local left_ms = redis.call('PTTL', KEYS[1])
if left_ms < 0 or left_ms > ARGV[1] * 1000 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class RedisWindows(RedisStorage):
    """The library's, which knows the end of a window to the second only: a caller that waits a second would wait two.

    Ends of windows are by time.monotonic() here, as in MemoryWindows. The library only hands them on.
    """

    STORAGE_SCHEME = []

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__(uri, **options)
        self.lua_incr_expire = self.storage.register_script(_COUNT)

    def get_expiry(self, key: str) -> float:
        left_ms = int(self.storage.pttl(self.prefixed_key(key)))
        return time.monotonic() + max(0, left_ms) / 1000


# Of a key without one: nothing is counted, and it is over.
_NO_WINDOW = (0, float("-inf"))


class MemoryWindows(Storage):
    """Counts in this process's memory. The library's own starts a thread for each, and knows no bound."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        # Key: how often, and when its window ends (time.monotonic()).
        self._windows: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.monotonic()
        count, ends_at = self._windows.get(key, _NO_WINDOW)
        if ends_at <= now:
            self._windows.pop(key, None)
            self._make_room()
            count, ends_at = 0, now + expiry
        self._windows[key] = (count + amount, ends_at)
        return count + amount

    def get(self, key: str) -> int:
        count, ends_at = self._windows.get(key, _NO_WINDOW)
        return count if ends_at > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        return self._windows.get(key, (0, time.monotonic()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _make_room(self) -> None:
        if len(self._windows) >= MEMORY_LIMIT_KEYS:
            del self._windows[next(iter(self._windows))]


# What is limited, the setting with its rate, and a factor for the rate.
_SETTINGS = {
    "tickets": ("TOKEN_RATE", 1),
    "tickets_by_address": ("TOKEN_RATE_PER_ADDRESS", 1),
    "failed_credentials": ("FAILED_CREDENTIAL_RATE", 1),
    "failed_logins": ("LOGIN_RATE", 1),
    # Many people may come from one address, and one of them may guess at many names.
    "failed_logins_by_address": ("LOGIN_RATE", 10),
    "published_events": ("PUBLISH_RATE", 1),
    "chat_messages": ("CHAT_RATE", 1),
    "changes": ("CHANGE_RATE", 1),
}


def setting_of(name: str) -> str:
    """The variable that sets this limit and its value, for people; "" if it is not a setting."""
    if name == "streams":
        return f"VX11_MAX_STREAMS_PER_PRINCIPAL is {settings.MAX_STREAMS_PER_PRINCIPAL}"
    if name in _SETTINGS and (rate := rate_of(name)) is not None:
        amount, seconds = rate
        return f"VX11_{_SETTINGS[name][0]} allows {amount} in {seconds} s"
    return ""


@dataclasses.dataclass(slots=True)
class _Reserve:
    """What was counted in Redis already and is not used yet."""

    left: int = 0
    ends_at: float = float("-inf")
    asking: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)


class Limiter:
    """The counts of this process, and its way to those of all. Used from the event loop and the store's threads."""

    def __init__(self) -> None:
        self._here = FixedWindowRateLimiter(MemoryWindows())
        self._away_until = float("-inf")
        # A key that was refused stays so until its window ends; Redis need not be asked again.
        self._refused: dict[str, float] = {}
        self._remembering = threading.Lock()
        # One for each token that publishes.
        self._reserves: dict[str, _Reserve] = {}

    def charge(self, name: str, who: str, *, cost: int = 1) -> None:
        """Count in the store, wherever it is. Raises LimitExceeded, or what the store raises: call it in ask()."""
        item = _item(name)
        if item is None:
            return
        key = item.key_for(who)
        self._refuse_known(name, key)
        windows = _shared() or self._here
        if not windows.hit(item, who, cost=cost):
            until = windows.get_window_stats(item, who).reset_time
            self._remember(key, until)
            raise self._exceeded(name, until)

    def refuse_known(self, name: str, who: str) -> None:
        """Before work is done that is charged for later: raises LimitExceeded if it is known that this will fail."""
        item = _item(name)
        if item is not None:
            self._refuse_known(name, item.key_for(who))

    async def spend(self, name: str, who: str, *, cost: int = 1) -> None:
        """Count, in this process alone if the store does not answer soon. Raises LimitExceeded."""
        if _item(name) is None:
            return
        if time.monotonic() >= self._away_until:
            try:
                await store.ask(functools.partial(self.charge, name, who, cost=cost), wait_seconds=SHARED_WAIT_SECONDS)
                return
            except StoreUnavailable:
                self._away_until = time.monotonic() + SHARED_PAUSE_SECONDS
        self._charge_here(name, who, cost)

    async def refund(self, name: str, who: str) -> None:
        """Take back what spend() counted: it turned out not to be what is limited."""
        item = _item(name)
        if item is None:
            return

        def refund_one() -> None:
            (_shared() or self._here).storage.incr(item.key_for(who), item.get_expiry(), -1)

        with contextlib.suppress(StoreUnavailable):
            await store.ask(refund_one, wait_seconds=SHARED_WAIT_SECONDS)

    async def spend_reserved(self, name: str, who: str, *, cost: int) -> None:
        """As spend(), for those who come so often that each going to Redis would be felt. Raises LimitExceeded."""
        item = _item(name)
        if item is None:
            return
        if _shared() is None:
            self._charge_here(name, who, cost)
            return
        reserve = self._reserves.setdefault(item.key_for(who), _Reserve())
        async with reserve.asking:
            if reserve.ends_at <= time.monotonic():
                reserve.left = 0
            if reserve.left < cost:
                share = max(cost - reserve.left, int(item.amount * RESERVED_SHARE))
                await self.spend(name, who, cost=share)
                if not reserve.left:
                    # Its window in Redis is at most as long from now.
                    reserve.ends_at = time.monotonic() + item.get_expiry()
                reserve.left += share
            reserve.left -= cost

    def forget_reserve(self, name: str, who: str) -> None:
        """What spend_reserved() has reserved and not used is lost: the next one is counted in Redis."""
        item = _item(name)
        if item is not None:
            self._reserves.pop(item.key_for(who), None)

    def _refuse_known(self, name: str, key: str) -> None:
        if (until := self._refused.get(key, float("-inf"))) > time.monotonic():
            raise self._exceeded(name, until)

    def _charge_here(self, name: str, who: str, cost: int) -> None:
        item = _item(name)
        if item is not None and not self._here.hit(item, who, cost=cost):
            raise self._exceeded(name, self._here.get_window_stats(item, who).reset_time)

    def _remember(self, key: str, until: float) -> None:
        with self._remembering:
            if len(self._refused) >= MEMORY_LIMIT_KEYS:
                del self._refused[next(iter(self._refused))]
            self._refused[key] = until

    def _exceeded(self, name: str, until: float) -> LimitExceeded:
        metrics.LIMITED.labels(name).inc()
        return LimitExceeded(name, max(1, math.ceil(until - time.monotonic())))


def rate_of(name: str) -> tuple[int, int] | None:
    """So many in so many seconds; None is no limit."""
    setting, factor = _SETTINGS[name]
    rate: tuple[int, int] | None = getattr(settings, setting)
    return rate and (factor * rate[0], rate[1])


def _item(name: str) -> RateLimitItem | None:
    rate = rate_of(name)
    return None if rate is None else _item_of(name, *rate)


@functools.cache
def _item_of(name: str, amount: int, seconds: int) -> RateLimitItem:
    return RateLimitItemPerSecond(amount, seconds, namespace=name)


def _shared() -> FixedWindowRateLimiter | None:
    client = store.the_redis()
    return None if client is None else _windows_in(client)


@functools.lru_cache(maxsize=1)
def _windows_in(client: "redis.Redis") -> FixedWindowRateLimiter:
    # The pool knows where Redis is; the URL is only read for its kind.
    pool = client.connection_pool
    return FixedWindowRateLimiter(RedisWindows("redis://", connection_pool=pool, key_prefix=REDIS_PREFIX))


limiter = Limiter()
