"""Gauges whose values are read at each request for /metrics: dependencies, window, modules, tokens, disk."""

import asyncio
import itertools
import os
from collections import Counter
from datetime import datetime

from django.conf import settings
from prometheus_client import Gauge

from gateway.models import AccessToken
from ledger import clock
from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from operator_api import modules, windows
from operator_api.status import StatusReading, count_tickets, read_status

BUILD = Gauge("vx11_build_info", "1; which version this process runs.", ["version"])
DEPENDENCY_UP = Gauge("vx11_dependency_up", "1 while this process reaches it: database, cache.", ["dependency"])
MODULES = Gauge("vx11_modules", "Modules by category and status.", ["category", "status"])
WINDOW_OPEN_SECONDS = Gauge("vx11_window_open_seconds", "How long the window has been open; 0 while none is.")
WINDOW_OVERDUE = Gauge("vx11_window_overdue", "1 while a window is past its deadline and not closed.")
TOKENS_ENDING_SOON = Gauge("vx11_tokens_ending_soon", "Tokens of 30 days and more that end within 7 days.")
DATA_FREE_BYTES = Gauge("vx11_data_free_bytes", "Free on the disk of the data folder.")
DATA_SIZE_BYTES = Gauge("vx11_data_size_bytes", "Size of the disk of the data folder.")

STATUSES = (modules.UP, modules.DOWN, modules.OFF_BY_POLICY, modules.UNKNOWN)
CATEGORIES = (modules.CORE, modules.OPTIONAL, modules.OPERATOR)
UNKNOWN = float("nan")
DISK_WAIT_SECONDS = 1.0


async def refresh() -> None:
    """Read all values. A value that cannot be read now is NaN; takes at most as long as two reads."""
    BUILD.labels(settings.VERSION).set(1)
    found, *_ = await asyncio.gather(read_status(), count_tickets(), _set_tokens())
    _set_dependencies(found)
    _set_modules(found)
    await _set_window(found)
    await _set_disk()


def _set_dependencies(found: StatusReading) -> None:
    DEPENDENCY_UP.labels("database").set(found.window["mode"] != windows.DEGRADED)
    # It is missing only if its row was deleted by hand.
    cache = found.modules.get(modules.CACHE)
    DEPENDENCY_UP.labels("cache").set(cache["status"] == modules.UP if cache else UNKNOWN)


def _set_modules(found: StatusReading) -> None:
    counts = Counter((state["category"], state["status"]) for state in found.modules.values())
    for labels in itertools.product(CATEGORIES, STATUSES):
        MODULES.labels(*labels).set(counts[labels])


async def _set_window(found: StatusReading) -> None:
    if found.window["mode"] == windows.DEGRADED:
        WINDOW_OPEN_SECONDS.set(UNKNOWN)
        WINDOW_OVERDUE.set(UNKNOWN)
        return
    since = found.window["created_at"]
    age = clock.now() - datetime.fromisoformat(since) if since else None
    WINDOW_OPEN_SECONDS.set(max(0.0, age.total_seconds()) if age else 0)
    try:
        WINDOW_OVERDUE.set(await reader.run(windows.is_due))
    except LedgerUnavailable:
        WINDOW_OVERDUE.set(UNKNOWN)


async def _set_tokens() -> None:
    try:
        TOKENS_ENDING_SOON.set(await reader.run(AccessToken.objects.ending_soon().count))
    except LedgerUnavailable:
        TOKENS_ENDING_SOON.set(UNKNOWN)


async def _set_disk() -> None:
    """In a thread: the folder may be on a network, which may hang."""
    try:
        async with asyncio.timeout(DISK_WAIT_SECONDS):
            disk = await asyncio.to_thread(os.statvfs, settings.DATA_DIR)
    except (TimeoutError, OSError):
        DATA_FREE_BYTES.set(UNKNOWN)
        DATA_SIZE_BYTES.set(UNKNOWN)
        return
    DATA_FREE_BYTES.set(disk.f_bavail * disk.f_frsize)
    DATA_SIZE_BYTES.set(disk.f_blocks * disk.f_frsize)
