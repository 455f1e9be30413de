"""Status of modules and window, and readiness of the process; works also when the database is away."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypedDict

from django.conf import settings
from django.db import connection

from events.log import timestamp
from events.stream.connections import the_connections
from events.stream.relay import the_relay
from gateway import metrics
from gateway.backend.client import the_backend
from gateway.identity import tickets
from gateway.shared_store.store import StoreUnavailable
from ledger import clock
from ledger.faults import LedgerUnavailable
from ledger.per_loop import PerLoop
from ledger.reader import reader
from ledger.writer import writer
from operator_api import modules, windows
from operator_api.models import Module
from operator_api.modules import BACKEND_UNAVAILABLE, CORE, DOWN, OPERATOR, OPTIONAL, State, Surroundings, state_of

# A read takes a few milliseconds. If one takes longer than this, the next does not wait for it, so that every response
# is there within two seconds.
TURN_SECONDS = 0.25
# Short, because a gateway has already waited three seconds for its backend, and front ends give up after five.
CACHE_SECONDS = 0.5
# The limit of a readiness check; load balancers send one every second or two.
READY_SECONDS = 1.9
# Every process writes its row every five seconds. If no write has been committed for this long, the database takes
# none.
WRITES_LATE_SECONDS = 10.0


class SystemStatus(TypedDict):
    """The answer to "is everything there?". Of each module by its name: {"status": "UP"}."""

    status: str
    policy: str
    core_services: dict[str, dict[str, str]]
    optional_services: dict[str, dict[str, str]]
    operator_services: dict[str, dict[str, str]]
    degraded: bool
    window: windows.Status
    timestamp: str


class Readiness(TypedDict, total=False):
    """What balancers are told: `unavailable` names what is missing if this process should get no requests."""

    status: str
    degraded: list[str]
    unavailable: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class StatusReading:
    """The result of one read of window and modules. `window["services"]` holds only the window's own modules."""

    window: windows.Status
    modules: dict[str, State]

    @property
    def degraded(self) -> bool:
        """Whether a core module is down. The window may be known nevertheless."""
        return any(state["status"] == DOWN for state in self._of(CORE).values())

    def window_status(self, window: windows.Status | None = None) -> windows.Status:
        """The window that was found, or this one, with the core modules that are up among its services."""
        window = window or self.window
        up = [name for name, state in self._of(CORE).items() if state["status"] == modules.UP]
        services = up + [name for name in window["services"] if name not in up]
        return {**window, "services": services, "degraded": self.degraded}

    def status(self) -> SystemStatus:
        return {
            "status": "ok",
            "policy": self.window["mode"],
            "core_services": self._statuses(CORE),
            "optional_services": self._statuses(OPTIONAL),
            "operator_services": self._statuses(OPERATOR),
            "degraded": self.degraded,
            "window": self.window_status(),
            "timestamp": timestamp(clock.now()),
        }

    def _of(self, category: str) -> dict[str, State]:
        return {name: state for name, state in self.modules.items() if state["category"] == category}

    def _statuses(self, category: str) -> dict[str, dict[str, str]]:
        return {name: {"status": state["status"]} for name, state in self._of(category).items()}


class SharedRead:
    """The status reads of one process: requests that come while a read is running share the next one.

    The next read begins after these requests came, so none of them gets an older state. Without this, each of many
    polling front ends would cost some queries and a request to the cache; with it, they cost little more than one.
    Belongs to one event loop.
    """

    def __init__(self, read: Callable[[], Awaitable[StatusReading]]) -> None:
        self._read = read
        self._running: asyncio.Task[StatusReading] | None = None
        self._next: asyncio.Task[StatusReading] | None = None

    async def read_status(self) -> StatusReading:
        if self._next is None:
            self._next = asyncio.create_task(self._read_after(self._running))
        # A caller that is cancelled must not cancel the read for the others.
        return await asyncio.shield(self._next)

    async def _read_after(self, other: "asyncio.Task[StatusReading] | None") -> StatusReading:
        if other is not None:
            await asyncio.wait({other}, timeout=TURN_SECONDS)
        self._running, self._next = self._next, None
        return await self._read()


_shared = PerLoop(lambda: SharedRead(_read_status))


async def read_status() -> StatusReading:
    """Window and modules as they are now, or as far as that can be known without the database."""
    return await _shared().read_status()


async def _read_status() -> StatusReading:
    cache_up, read = await asyncio.gather(_cache_up(), _read())
    if read is None:
        window = windows.unknown(reason="window_store_unavailable")
        around = Surroundings(
            clock.now(), store_up=False, cache_up=cache_up, cache_is_redis=bool(settings.REDIS_URL), opened=None
        )
        return StatusReading(window, {row.name: state_of(row, around) for row in modules.built_in_rows()})
    window, (now, rows) = read
    around = Surroundings(
        now, store_up=True, cache_up=cache_up, cache_is_redis=bool(settings.REDIS_URL), opened=window["services"]
    )
    return StatusReading(window, {row.name: state_of(row, around) for row in rows})


async def read_without_backend() -> StatusReading:
    """The status that a gateway can give itself. It could read the window's row, but not whether a backend acts on
    it.
    """
    window = windows.unknown(reason=BACKEND_UNAVAILABLE)
    cache_up = False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CACHE_SECONDS):
            cache_up = await _cache_up()
    around = Surroundings(
        clock.now(),
        store_up=False,
        cache_up=cache_up,
        cache_is_redis=bool(settings.REDIS_URL),
        opened=None,
        away=BACKEND_UNAVAILABLE,
    )
    return StatusReading(window, {row.name: state_of(row, around) for row in modules.built_in_rows()})


async def readiness() -> tuple[bool, Readiness]:
    """Whether this process should get requests, and what is missing."""
    if the_connections().draining:
        return False, {"unavailable": ["draining"]}
    # In parallel: with both away, one after the other would take longer than a load balancer waits.
    cache_up, missing = await asyncio.gather(_cache_up(), _missing_of_database())
    if missing:
        return False, {"unavailable": missing}
    degraded = [] if cache_up else ["cache"]
    if settings.ROLE == "gateway" and the_backend().seems_away:
        # Streams and publishing go on, so this process should still get them.
        degraded.append("backend")
    return True, {"status": "ok", "degraded": degraded}


async def _missing_of_database() -> list[str]:
    """Which functions of the database are missing: it must answer, take writes, and have committed the last ones.

    Also starts the relay again if it has ended.
    """
    try:
        async with asyncio.timeout(READY_SECONDS):
            await the_relay().start()
            if await reader.run(_is_read_only):
                return ["database", "database_writes"]
    except (LedgerUnavailable, TimeoutError):
        return ["database"]
    return ["database", "database_writes"] if writer.late_seconds > WRITES_LATE_SECONDS else []


def _is_read_only() -> bool:
    """Whether it is a standby, or a primary in read-only mode. Reads the window too, because its table must exist."""
    windows.snapshot()
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone()[0] == "on")


async def _read() -> tuple[windows.Status, tuple[datetime, Sequence[Module]]] | None:
    """None if the database is away."""
    try:
        return await reader.run(lambda: (windows.snapshot(), modules.read()))
    except LedgerUnavailable:
        return None


async def _cache_up() -> bool:
    try:
        await tickets.check()
    except StoreUnavailable:
        return False
    return True


async def count_tickets() -> None:
    """Set the gauges of valid tickets."""
    try:
        valid = float(await tickets.count())
    except StoreUnavailable:
        valid = float("nan")
    metrics.TICKETS_STORED.set(valid)
    metrics.TICKETS_ACTIVE.set(valid)
