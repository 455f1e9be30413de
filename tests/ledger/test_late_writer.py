"""When a writer is taken for stuck: after its time, then after twice as long each time, and what waits is counted."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from ledger import interruption
from ledger import writer as writer_module
from ledger.writer import STUCK_SECONDS, Writer


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    return times


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connections that were cut."""
    cut: list[Any] = []
    monkeypatch.setattr(interruption, "cut", cut.append)
    return cut


@pytest.fixture
def writing(now: list[float], monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Has taken a batch, and does not come back from it. On SQLite no thread may take its place."""
    monkeypatch.setattr(writer_module, "connections", {"default": SimpleNamespace(vendor="sqlite")})
    writer = Writer()
    writer._queue.append(SimpleNamespace(rows=3, size_bytes=100, future=None))  # type: ignore[arg-type]
    writer._queued_rows, writer._queued_bytes = 3, 100
    writer._take(writer._hold)
    writer._hold.connection = "its connection"  # type: ignore[assignment]
    return writer


def test_what_was_taken_is_no_longer_waiting(writing: Writer) -> None:
    assert (writing._queued_rows, writing._queued_bytes, len(writing._queue)) == (0, 0, 0)


def test_a_writer_is_stuck_after_its_time_and_then_after_twice_as_long(
    writing: Writer, cuts: list[Any], now: list[float]
) -> None:
    now[0] += STUCK_SECONDS - 0.1
    writing._free_if_stuck()
    assert cuts == []
    now[0] += 0.1
    for pause_seconds in (2 * STUCK_SECONDS, 4 * STUCK_SECONDS, 8 * STUCK_SECONDS):
        before = len(cuts)
        writing._free_if_stuck()
        assert cuts[before:] == ["its connection"]
        now[0] += pause_seconds - 0.1
        writing._free_if_stuck()
        assert len(cuts) == before + 1
        now[0] += 0.1


def test_whatever_is_handed_over_frees_a_writer_that_is_stuck(
    writing: Writer, cuts: list[Any], now: list[float]
) -> None:
    writing._thread = threading.current_thread()
    for later_seconds, cut in ((STUCK_SECONDS - 0.1, 0), (0.1, 1)):
        now[0] += later_seconds
        assert writing.write_behind(list, "a unit")
        assert len(cuts) == cut


def test_a_writer_with_nothing_to_write_is_not_stuck(cuts: list[Any], now: list[float]) -> None:
    writer = Writer()
    now[0] += 1_000_000
    writer._free_if_stuck()
    assert cuts == []


def test_where_another_thread_may_write_it_takes_over_what_nobody_waits_for(
    writing: Writer, cuts: list[Any], now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "connections", {"default": SimpleNamespace(vendor="postgresql")})
    started: list[bool] = []
    monkeypatch.setattr(writing, "_start", lambda: started.append(True))
    hanging, awaited = writing._hold, SimpleNamespace(rows=5, size_bytes=50, future="a caller's")
    assert hanging.batch is not None
    hanging.batch.append(awaited)  # type: ignore[arg-type]
    for _ in range(writer_module.REPLACE_AFTER_CUTS):
        now[0] = hanging.stuck_at
        writing._free_if_stuck()
    assert (len(cuts), started) == (writer_module.REPLACE_AFTER_CUTS, [])
    now[0] = hanging.stuck_at
    writing._free_if_stuck()
    assert (started, hanging.left) == ([True], True)
    assert (writing._queued_rows, writing._queued_bytes, len(writing._queue)) == (3, 100, 1)
    # The one that hangs gets nothing more to do, should it come back.
    assert writing._take(hanging) == []


def test_how_late_writing_is_counts_from_what_waits_longest(now: list[float]) -> None:
    writer = Writer()
    assert writer.late_seconds == 0
    writer._owing_since = now[0]
    now[0] += 7
    assert writer.late_seconds == 7


def test_a_batch_ends_with_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "BATCH_LIMIT_ROWS", 4)
    writer = Writer()
    for _ in range(6):
        writer._queue.append(SimpleNamespace(rows=1, size_bytes=10, future=None))  # type: ignore[arg-type]
    writer._queued_rows, writer._queued_bytes = 6, 60
    assert [len(writer._take(writer._hold)) for _ in range(2)] == [4, 2]
    assert (writer._queued_rows, writer._queued_bytes) == (0, 0)
