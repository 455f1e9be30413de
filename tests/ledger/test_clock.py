"""The database's time without asking: as it was told, plus what has passed here, and not this machine's time of day."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from ledger import clock

THEN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    clock._noted = None


@pytest.fixture
def postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "connection", SimpleNamespace(vendor="postgresql"))


@pytest.mark.usefixtures("postgresql")
def test_what_postgresql_told_goes_on_with_the_clock_of_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    clock.note_database_time(THEN)
    assert clock.now() == THEN
    passed[0] += 90
    assert clock.now() == THEN + timedelta(seconds=90)
    clock.note_database_time(None)
    assert abs(clock.now() - timezone.now()) < timedelta(minutes=1)


def test_sqlite_has_no_other_time_than_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "connection", SimpleNamespace(vendor="sqlite"))
    clock.note_database_time(THEN)
    assert clock.now() - THEN > timedelta(days=1)
    assert clock.ask() - THEN > timedelta(days=1)
