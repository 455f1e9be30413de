"""Where tickets live in a set-up of one process: Django's in-process cache, which here never evicts a live ticket."""

import time
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache


def literal_key(key: str, key_prefix: str, version: int) -> str:
    """Keys as they are written here, without Django's ":1:", so that an operator can find them in Redis."""
    return f"{key_prefix}{key}"


# A full store is looked through this often at most: 100 000 entries take the event loop about 5 ms.
SCAN_PAUSE_SECONDS = 1.0
# Also with room left, what has expired is dropped once in so many tickets, so that it holds no memory for ever.
SWEEP_EVERY_SETS = 1_000


class TicketStoreFull(Exception):
    """More tickets are alive than the store may hold; none was put out for a new one."""


class TicketLocMemCache(LocMemCache):
    """A LocMemCache that makes room by dropping what has expired, and refuses when that is not enough."""

    _expire_info: dict[str, float | None]
    _scanned_at = float("-inf")
    _sets = 0

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
        """When an entry ends, by time.monotonic(): Django's is the wall clock, and a ticket lives an hour longer once
        that is put back by one."""
        ends_at = super().get_backend_timeout(timeout)
        return None if ends_at is None else ends_at - time.time() + time.monotonic()

    def _has_expired(self, key: str) -> bool:
        ends_at = self._expire_info.get(key, float("-inf"))
        return ends_at is not None and ends_at <= time.monotonic()

    def _set(self, key: str, value: bytes, timeout: Any = DEFAULT_TIMEOUT) -> None:
        self._sets += 1
        if self._sets % SWEEP_EVERY_SETS == 0:
            self._drop_expired()
        super()._set(key, value, timeout)  # type: ignore[misc]  # private in Django, not in its stubs

    def _cull(self) -> None:
        """When the store is full. After a look through all entries, the next is a second later at the earliest."""
        if time.monotonic() - self._scanned_at >= SCAN_PAUSE_SECONDS:
            self._drop_expired()
        if len(self._expire_info) >= self._max_entries:
            raise TicketStoreFull

    def _drop_expired(self) -> None:
        now = self._scanned_at = time.monotonic()
        for key in [key for key, expires in self._expire_info.items() if expires is not None and expires <= now]:
            self._delete(key)  # type: ignore[attr-defined]  # as above

    def seconds_left(self, key: str) -> float:
        """For how long the entry is alive; 0 if there is none."""
        ends_at = self._expire_info.get(self.make_key(key))
        return 0.0 if ends_at is None else max(0.0, ends_at - time.monotonic())

    def count(self, prefix: str) -> int:
        """How many entries whose key begins so are alive."""
        now = time.monotonic()
        with self._lock:  # type: ignore[attr-defined]  # as above
            entries = self._expire_info.items()
            return sum(1 for key, expires in entries if key.startswith(prefix) and (expires is None or expires > now))
