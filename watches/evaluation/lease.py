"""Which process of the cluster evaluates watches: a lease in the reader's row, by the database's clock.

Each step checks the lease in its own transaction (`recording`), so a process that was suspended, and goes on after
another has taken over, writes nothing.
"""

import os
import secrets
import socket
import time
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from watches.models import WatchReader

# How long a process keeps the right to evaluate without renewing it: so late another takes over from a dead one.
LEASE_SECONDS = 6.0
RENEW_SECONDS = LEASE_SECONDS / 3


class Lease:
    def __init__(self) -> None:
        # Differs from the name of any other process, and of this one after a restart.
        self.holder = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._claimed_at: float | None = None

    def claim(self, *, force: bool = False) -> bool:
        """Whether this process may evaluate. `force` takes it from another one."""
        now = time.monotonic()
        if self._claimed_at is not None and now - self._claimed_at < RENEW_SECONDS and not force:
            return True
        free = Q() if force else Q(holder=self.holder) | Q(held_until__lte=Now())
        rows = WatchReader.objects.filter(free, pk=1)
        held = bool(rows.update(holder=self.holder, held_until=Now() + timedelta(seconds=LEASE_SECONDS)))
        self._claimed_at = now if held else None
        return held

    def forget(self) -> None:
        """Another process may have it by now: claim it again."""
        self._claimed_at = None

    def release(self) -> None:
        """Let another process take over at once."""
        if self._claimed_at is not None:
            self._claimed_at = None
            WatchReader.objects.filter(pk=1, holder=self.holder).update(held_until=Now())
