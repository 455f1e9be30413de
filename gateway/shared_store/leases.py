"""Who holds how many streams, in all processes together: a lease for each stream, gone with its process.

In Redis each principal has a hash: process -> how many it holds for the principal; and each process has a key that it
renews. What a process without that key holds counts for nothing: a process that was killed gives back all it had when
its key runs out. Numbers are set and not added to, so that a command that is lost or doubled is mended by the next.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from django.conf import settings

from gateway import metrics
from gateway.shared_store import store
from gateway.shared_store.limits import LimitExceeded
from gateway.shared_store.store import StoreUnavailable

HOLDER_PREFIX = "vx11:holder:"
HELD_PREFIX = "vx11:streams:"
# A process whose key was not renewed for so long is dead; it renews its key this often.
HOLDER_LOST_SECONDS = 20
RENEW_SECONDS = 5.0
# Changes are gathered for this time and sent to Redis together.
ANNOUNCE_SECONDS = 0.1
RETRY_SECONDS = 1.0
# A command whose caller has given it up may still reach Redis for so long: to connect and to answer take a second each.
LATE_SECONDS = 5.0
# Opening a stream waits for Redis, but a stream with a token in a header must open without it too.
TAKE_WAIT_SECONDS = 0.5
AWAY_PAUSE_SECONDS = 5.0
# A slot becomes free when a stream ends, and that time is not known.
RETRY_AFTER_SECONDS = 5

# What Redis knows is not known here: a command failed.
UNKNOWN = -1
_REFUSED, _TAKEN_BY_ANOTHER = 0, 2
# KEYS: the principal's hash, this process's key. ARGV: this process, how many it would hold, the limit, the lives of
# the two keys, the prefix of processes' keys. Answers 0 and changes nothing, or 1 and sets the number; 2 if Redis did
# not know this process. A process' key that has longer to live than it is ever given is of before Redis' wall clock
# was put back: it gets its own time again, or a dead process would hold what it had for as long.
_TAKE = """
local held = redis.call('HGETALL', KEYS[1])
local total = tonumber(ARGV[2])
for i = 1, #held, 2 do
  if held[i] ~= ARGV[1] then
    local left_ms = redis.call('PTTL', ARGV[6] .. held[i])
    if left_ms > 0 then
      if left_ms > ARGV[5] * 1000 then redis.call('EXPIRE', ARGV[6] .. held[i], ARGV[5]) end
      total = total + tonumber(held[i + 1])
    else
      redis.call('HDEL', KEYS[1], held[i])
    end
  end
end
if total > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if redis.call('SET', KEYS[2], 1, 'NX', 'EX', ARGV[5]) then return 2 end
return 1
"""


class Leases:
    """What one process holds. Belongs to one event loop."""

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self._held: Counter[str] = Counter()
        # One after the other, so that their numbers reach Redis in order.
        self._taking = asyncio.Lock()
        self._away_until = float("-inf")
        # What Redis knows of us, if all went well; and for whom that may have to change.
        self._announced: dict[str, int] = {}
        self._changed: set[str] = set()
        # For whom a command was given up, and until when it may come after those that follow it.
        self._late: dict[str, float] = {}
        self._announcing: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def lease(self, principal_id: str) -> AsyncIterator[None]:
        """Room for one stream of this principal while it is being opened. Raises LimitExceeded."""
        limit = settings.MAX_STREAMS_PER_PRINCIPAL
        if limit and store.the_redis() is not None:
            async with self._taking:
                allowed = self._held[principal_id] < limit and await self._ask(principal_id, limit)
        else:
            allowed = not limit or self._held[principal_id] < limit
        if not allowed:
            metrics.LIMITED.labels("streams").inc()
            raise LimitExceeded("streams", RETRY_AFTER_SECONDS)
        self.hold(principal_id)
        try:
            yield
        finally:
            self.give_back(principal_id)

    def hold(self, principal_id: str) -> None:
        """One stream more, for which there is room."""
        self._held[principal_id] += 1

    def give_back(self, principal_id: str) -> None:
        self._held[principal_id] -= 1
        if self._held[principal_id] <= 0:
            del self._held[principal_id]
        self._note(principal_id)

    async def _ask(self, principal_id: str, limit: int) -> bool:
        """Whether there is room in all processes together; without Redis every process counts for itself."""
        self._note(principal_id)
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return True
        number = self._held[principal_id] + 1
        # Until it is known what came of this.
        self._announced[principal_id] = UNKNOWN
        try:
            answer = await store.ask(partial(self._take, principal_id, number, limit), wait_seconds=TAKE_WAIT_SECONDS)
        except StoreUnavailable:
            self._away_until = loop.time() + AWAY_PAUSE_SECONDS
            self._expect_late(principal_id)
            return True
        except asyncio.CancelledError:
            # The client is gone, and the thread goes on: what it sets goes to no client.
            self._expect_late(principal_id)
            raise
        if answer == _REFUSED:
            return False
        if answer == _TAKEN_BY_ANOTHER:
            self._forget_announced()
        self._announced[principal_id] = number
        return True

    def _note(self, principal_id: str) -> None:
        """This principal's number changes here."""
        if settings.MAX_STREAMS_PER_PRINCIPAL and store.the_redis() is not None:
            self._changed.add(principal_id)
            if self._announcing is None or self._announcing.done():
                self._announcing = asyncio.create_task(self._announce())

    def _expect_late(self, *principal_ids: str) -> None:
        """A command that was given up may still overwrite the next one; sent once more after that, the number stays."""
        self._late |= dict.fromkeys(principal_ids, asyncio.get_running_loop().time() + LATE_SECONDS)

    def _note_late(self, now: float) -> None:
        over = [name for name, until in self._late.items() if until <= now]
        for name in over:
            del self._late[name]
            self._announced[name] = UNKNOWN
        self._changed.update(over)

    def _forget_announced(self) -> None:
        """Redis was restarted, or has not heard of us for long: it knows nothing of what we hold."""
        self._announced = dict.fromkeys(self._held, UNKNOWN)
        self._changed |= set(self._held)

    async def _announce(self) -> None:
        """Keep Redis up to date, for as long as this process holds streams or has changes to send."""
        loop = asyncio.get_running_loop()
        renew_at = loop.time()
        while self._held or self._changed or self._late:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            self._note_late(loop.time())
            due = loop.time() >= renew_at
            if not due and not self._changed:
                continue
            try:
                async with self._taking:
                    renewed = await self._announce_changes(even_none=due)
            except StoreUnavailable:
                self._away_until = loop.time() + AWAY_PAUSE_SECONDS
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if renewed:
                renew_at = loop.time() + RENEW_SECONDS

    async def _announce_changes(self, *, even_none: bool) -> bool:
        """Send the numbers that may have changed; whether anything was sent."""
        changed, self._changed = self._changed, set()
        numbers = {name: self._held[name] for name in changed if self._announced.get(name, 0) != self._held[name]}
        if not numbers and not even_none:
            return False
        try:
            known = await store.ask(partial(self._set, numbers), wait_seconds=TAKE_WAIT_SECONDS)
        except StoreUnavailable:
            # The outcome is not known, so the numbers of then are sent again.
            self._announced |= dict.fromkeys(numbers, UNKNOWN)
            self._changed |= changed
            self._expect_late(*numbers)
            raise
        self._announced |= numbers
        self._announced = {name: number for name, number in self._announced.items() if number}
        if not known:
            self._forget_announced()
        return True

    # In the store's threads

    def _take(self, principal_id: str, number: int, limit: int) -> int:
        script = self._client().register_script(_TAKE)
        keys = [HELD_PREFIX + principal_id, HOLDER_PREFIX + self._holder]
        lives = (_held_lost_seconds(), HOLDER_LOST_SECONDS)
        return int(script(keys=keys, args=[self._holder, number, limit, *lives, HOLDER_PREFIX]))

    def _set(self, numbers: dict[str, int]) -> bool:
        """Write how many streams of these principals there are here; whether Redis knew this process."""
        with self._client().pipeline(transaction=False) as pipeline:
            pipeline.set(HOLDER_PREFIX + self._holder, 1, ex=HOLDER_LOST_SECONDS, get=True)
            for principal_id, number in numbers.items():
                key = HELD_PREFIX + principal_id
                if number:
                    pipeline.hset(key, self._holder, str(number))
                    pipeline.expire(key, _held_lost_seconds())
                else:
                    pipeline.hdel(key, self._holder)
            return pipeline.execute()[0] is not None

    def _client(self) -> Any:
        client = store.the_redis()
        assert client is not None  # noqa: S101 - asked by those who looked
        return client


def _held_lost_seconds() -> int:
    """Streams end sooner; a key that was not renewed for longer is left over."""
    return int(2 * settings.STREAM_MAX_AGE_SECONDS) + HOLDER_LOST_SECONDS
