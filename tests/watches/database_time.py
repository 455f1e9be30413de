"""The database's time as a test sets it: of the log, and of what is evaluated."""

import datetime as dates
from datetime import UTC, datetime, timedelta

import pytest

from events.log import epochs
from events.log.rows import LockedHead, lock_head
from ledger import clock


class DatabaseTime:
    """Stands still unless it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        real = lock_head

        def lock_head_now() -> LockedHead | None:
            locked = real()
            return None if locked is None else locked._replace(now=self.now)

        monkeypatch.setattr(epochs, "lock_head", lock_head_now)
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def set(self, text: str) -> None:
        self.now = dates.datetime.fromisoformat(text).replace(tzinfo=UTC)

    @property
    def seconds(self) -> float:
        return self.now.timestamp()
