"""Where tickets live in a set-up of one process: Django's in-process cache, which here never evicts a live ticket."""

import time

from django.core.cache.backends.locmem import LocMemCache


def literal_key(key: str, key_prefix: str, version: int) -> str:
    """Keys as they are written here, without Django's ":1:", so that an operator can find them in Redis."""
    return f"{key_prefix}{key}"


class TicketStoreFull(Exception):
    """More tickets are alive than the store may hold; none was put out for a new one."""


class TicketLocMemCache(LocMemCache):
    """A LocMemCache that makes room by dropping what has expired, and refuses when that is not enough."""

    _expire_info: dict[str, float | None]

    def _cull(self) -> None:
        now = time.time()
        for key in [key for key, expires in self._expire_info.items() if expires is not None and expires <= now]:
            self._delete(key)  # type: ignore[attr-defined]  # private in Django, not in its stubs
        if len(self._expire_info) >= self._max_entries:
            raise TicketStoreFull

    def __len__(self) -> int:
        """How many tickets are alive."""
        now = time.time()
        with self._lock:  # type: ignore[attr-defined]  # as above
            return sum(1 for expires in self._expire_info.values() if expires is None or expires > now)
