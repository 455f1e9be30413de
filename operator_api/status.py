"""Is everything there? The core modules' state, the window's, and readiness."""

import asyncio
from typing import Any

from events.relay import the_relay
from events.sessions import the_sessions
from gateway import metrics, tickets
from gateway.store import StoreUnavailable
from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from operator_api import windows

# The core modules, by the names that front ends know: this server's window store, the cache, this gateway.
WINDOW_STORE, CACHE, GATEWAY = "madre", "redis", "tentaculo_link"


async def window_status() -> dict[str, Any]:
    """May operators act? Answers also when the database is away, and says so."""
    cache_up = await _cache_up()
    try:
        status = await reader.run(windows.snapshot)
        store_up = True
    except LedgerUnavailable:
        status = windows.closed(windows.DEGRADED, reason="window_store_unavailable")
        store_up = False
    up = [name for name, is_up in ((WINDOW_STORE, store_up), (CACHE, cache_up), (GATEWAY, True)) if is_up]
    status["services"] = up + [name for name in status["services"] if name not in up]
    status["degraded"] = not (store_up and cache_up)
    return status


async def readiness() -> tuple[bool, dict[str, Any]]:
    """Whether this process should get requests, and what is missing."""
    degraded = [] if await _cache_up() else ["cache"]
    if the_sessions().draining:
        return False, {"status": "unavailable", "unavailable": ["draining"], "degraded": degraded}
    try:
        async with asyncio.timeout(2):
            await the_relay().start()
            await reader.run(windows.snapshot)
    except (LedgerUnavailable, TimeoutError):
        return False, {"status": "unavailable", "unavailable": ["database"], "degraded": degraded}
    return True, {"status": "ok", "degraded": degraded}


async def _cache_up() -> bool:
    try:
        await tickets.check()
    except StoreUnavailable:
        return False
    return True


async def count_tickets() -> None:
    """Bring the gauges of valid tickets up to date."""
    try:
        valid = float(await tickets.count())
    except StoreUnavailable:
        valid = float("nan")
    metrics.TICKETS_STORED.set(valid)
    metrics.TICKETS_ACTIVE.set(valid)
