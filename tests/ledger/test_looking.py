"""Threads that look for work again and again: they rest as they are told, end when told, and say what is wrong once."""

import logging
import threading

import pytest
from django.db import OperationalError

from ledger.looking import Looking, Trouble
from tests.waiting import wait_until

logger = logging.getLogger("tests.looking")


class Worker:
    """Looks, and rests for as long as it is told; notes in which threads it is called."""

    def __init__(self, *, ends_with: Exception | None = None) -> None:
        self.looked: list[threading.Thread] = []
        self.ended: list[threading.Thread] = []
        self.rest_seconds = 0.0
        self._ends_with = ends_with
        self.looking = Looking("worker", self._look, first_rest_seconds=0.0, end=self._end)

    def _look(self) -> float:
        self.looked.append(threading.current_thread())
        return self.rest_seconds

    def _end(self) -> None:
        self.ended.append(threading.current_thread())
        if self._ends_with is not None:
            raise self._ends_with


@pytest.mark.parametrize("fault", [None, OperationalError("away")], ids=["well", "without its database"])
def test_it_looks_until_it_is_stopped_and_ends_in_its_own_thread(fault: Exception | None) -> None:
    worker = Worker(ends_with=fault)
    worker.looking.start()
    wait_until(lambda: len(worker.looked) > 3, "it looks again and again")
    worker.looking.stop()
    assert not worker.looking.is_running
    assert worker.ended == [worker.looked[0]]
    assert worker.looked[0] is not threading.current_thread()


def test_it_is_woken_from_a_long_rest_to_end() -> None:
    worker = Worker()
    worker.rest_seconds = 3600.0
    worker.looking.start()
    wait_until(lambda: len(worker.looked) == 1, "it has looked")
    worker.looking.stop()
    assert (len(worker.looked), len(worker.ended)) == (1, 1)


def test_one_that_was_never_started_can_be_stopped() -> None:
    worker = Worker()
    worker.looking.stop()
    assert (worker.looked, worker.ended) == ([], [])


class Gauge:
    def __init__(self) -> None:
        self.values: list[float] = []

    def set(self, value: float, /) -> None:
        self.values.append(value)


def test_trouble_is_logged_when_it_changes_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    gauge = Gauge()
    trouble = Trouble(logger, wrong="the work is not done: %s", well="the work is done again", flag=gauge)
    with caplog.at_level(logging.INFO):
        news = [trouble.note(text) for text in ("", "disk full", "disk full", "away", "", "")]
    assert news == [False, True, False, True, True, False]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "the work is not done: disk full"),
        ("WARNING", "the work is not done: away"),
        ("INFO", "the work is done again"),
    ]
    assert gauge.values == [1, 1, 0]
