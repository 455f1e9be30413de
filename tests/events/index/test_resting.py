"""The thread that indexes rests as long as it works, and much longer while its process has nothing to spare."""

import pytest

from events.index import resting
from events.index.resting import BUSY, BUSY_SHARE, IDLE_SHARE, WATCH_SECONDS, NoRest, Resting


class Clocks:
    """The clocks of a process whose threads work as a test says."""

    def __init__(self) -> None:
        self.now = self.process = self.own = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.process

    def thread_time(self) -> float:
        return self.own

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def work(self, own: float, others: float = 0.0) -> None:
        """So many seconds of this thread, one after the other, and of the others meanwhile."""
        self.now += own
        self.own += own
        self.process += own + others


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(resting, "time", clocks)
    return clocks


def begun() -> Resting:
    pause = Resting()
    pause.begin()
    return pause


def test_beside_little_it_rests_as_long_as_it_works(clocks: Clocks) -> None:
    pause = begun()
    for _ in range(3):
        clocks.work(WATCH_SECONDS, others=WATCH_SECONDS * BUSY * 0.9)
        pause.after_terms()
    assert clocks.slept == pytest.approx([WATCH_SECONDS * IDLE_SHARE] * 3)


def test_in_a_busy_process_it_takes_a_small_part(clocks: Clocks) -> None:
    pause = begun()
    clocks.work(WATCH_SECONDS, others=WATCH_SECONDS)
    pause.after_terms()
    assert clocks.slept == pytest.approx([WATCH_SECONDS * BUSY_SHARE])
    clocks.work(0.01, others=clocks.slept[0])
    pause.after_writing()
    assert clocks.slept[1:] == pytest.approx([0.01 * BUSY_SHARE])


def test_it_works_on_as_soon_as_the_others_are_idle(clocks: Clocks) -> None:
    pause = begun()
    clocks.work(WATCH_SECONDS, others=WATCH_SECONDS)
    pause.after_terms()
    # Nothing of the others while it slept, and in what follows.
    clocks.work(0.01)
    pause.after_terms()
    assert clocks.slept[1:] == pytest.approx([0.01 * IDLE_SHARE])


def test_writing_needs_no_rest_while_the_others_are_idle(clocks: Clocks) -> None:
    pause = begun()
    clocks.work(WATCH_SECONDS)
    pause.after_writing()
    assert clocks.slept == []
    # And is not made up for after the next terms.
    clocks.work(0.01)
    pause.after_terms()
    assert clocks.slept == pytest.approx([0.01 * IDLE_SHARE])


def test_what_came_before_it_began_does_not_count(clocks: Clocks) -> None:
    pause = begun()
    clocks.work(5.0)
    pause.begin()
    clocks.work(0.01)
    pause.after_terms()
    assert clocks.slept == pytest.approx([0.01 * IDLE_SHARE])


def test_in_a_busy_process_reading_the_log_counts_too(clocks: Clocks) -> None:
    pause = begun()
    clocks.work(WATCH_SECONDS, others=WATCH_SECONDS)
    pause.after_terms()
    clocks.work(0.02, others=clocks.slept[0])
    pause.begin()
    clocks.work(0.01)
    pause.after_terms()
    assert clocks.slept[1:] == pytest.approx([0.03 * BUSY_SHARE])


def test_a_command_does_not_rest(clocks: Clocks) -> None:
    pause = NoRest()
    clocks.work(1.0, others=1.0)
    pause.after_terms()
    pause.after_writing()
    assert clocks.slept == []
