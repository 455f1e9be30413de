"""Chores: done once when due, by one of those that ask; never twice at once; an error keeps none from the next."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from gateway.jobs import scheduler
from gateway.models import Chore
from tests.database_faults import database_away
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")
PAST = timedelta(seconds=-1)
LATER = timedelta(minutes=5)
ASKING_AT_ONCE = 8


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chores of these tests alone, looked for often."""
    monkeypatch.setattr(scheduler, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(scheduler, "intervals", lambda: {name: 3600 for name in scheduler._registered})
    monkeypatch.setattr(scheduler, "_registered", {})


def due(name: str, work: scheduler.Work, *, in_: timedelta = PAST) -> None:
    scheduler.register(name, work)
    Chore.objects.update_or_create(name=name, defaults={"due_at": timezone.now() + in_})


@contextmanager
def scheduling() -> Iterator[scheduler.Scheduler]:
    running = scheduler.Scheduler()
    running.start()
    try:
        yield running
    finally:
        running.stop()


def ended(name: str) -> Chore:
    wait_until(lambda: Chore.objects.filter(name=name, ended_at__isnull=False).exists(), f"{name} has ended")
    return Chore.objects.get(name=name)


def in_threads(function: Callable[[], bool]) -> list[bool]:
    everyone = threading.Barrier(ASKING_AT_ONCE)

    def run() -> bool:
        try:
            everyone.wait(10)
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(ASKING_AT_ONCE) as pool:
        return [future.result(30) for future in [pool.submit(run) for _ in range(ASKING_AT_ONCE)]]


def test_of_those_that_ask_at_once_one_gets_the_chore() -> None:
    due("sweep", lambda _go_on: "")
    assert sorted(in_threads(lambda: scheduler.Claim("sweep").take())) == [False] * (ASKING_AT_ONCE - 1) + [True]


def test_a_chore_that_is_not_due_is_nobodys() -> None:
    due("sweep", lambda _go_on: "", in_=LATER)
    assert not scheduler.Claim("sweep").take()


def test_a_chore_that_is_due_is_done_once_and_due_again_after_its_interval() -> None:
    runs: list[str] = []
    due("sweep", lambda _go_on: runs.append("run") or "swept 3 rows")  # type: ignore[func-returns-value]
    due("other", lambda _go_on: "done", in_=LATER)
    before = timezone.now()
    with scheduling(), scheduling():
        chore = ended("sweep")
        # Both have looked again by the time that another one is done.
        Chore.objects.filter(name="other").update(due_at=timezone.now() + PAST)
        ended("other")
    assert runs == ["run"]
    assert chore.outcome == "swept 3 rows"
    assert chore.started_at is not None
    assert chore.ended_at is not None
    assert before - timedelta(seconds=1) < chore.started_at <= chore.ended_at
    assert timedelta(minutes=59) < chore.due_at - chore.ended_at < timedelta(minutes=61)


def test_a_chore_that_was_never_done_waits_until_the_process_has_started() -> None:
    scheduler.register("new", lambda _go_on: "done")
    with scheduling():
        chore = wait_until(lambda: Chore.objects.filter(name="new").first(), "the chore is known")
        assert chore.due_at - timezone.now() > timedelta(seconds=scheduler.FIRST_AFTER_SECONDS / 2)


def test_a_process_that_died_in_the_middle_keeps_the_chore_no_longer_than_its_claim() -> None:
    due("sweep", lambda _go_on: "done by another")
    assert scheduler.Claim("sweep").take()
    left = Chore.objects.get(name="sweep").due_at - timezone.now()
    assert timedelta(0) < left <= timedelta(seconds=scheduler.CLAIM_SECONDS)
    Chore.objects.update(due_at=timezone.now() + PAST)
    with scheduling():
        assert ended("sweep").outcome == "done by another"


def test_a_slow_chore_renews_its_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "RENEW_SECONDS", 0.0)
    due("sweep", lambda _go_on: "")
    claim = scheduler.Claim("sweep")
    assert claim.take()
    Chore.objects.update(due_at=timezone.now() + timedelta(seconds=1))
    claim.renew()
    assert Chore.objects.get().due_at - timezone.now() > timedelta(seconds=scheduler.CLAIM_SECONDS / 2)


def test_whoever_was_silent_for_too_long_stops_and_leaves_the_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "RENEW_SECONDS", 0.0)
    due("sweep", lambda _go_on: "")
    silent, other = scheduler.Claim("sweep"), scheduler.Claim("sweep")
    assert silent.take()
    Chore.objects.update(due_at=timezone.now() + PAST)
    assert other.take()
    with pytest.raises(scheduler.ChoreStopped):
        silent.renew()
    silent.end("mine", due_in_seconds=0)
    other.end("the other's", due_in_seconds=60)
    assert Chore.objects.get().outcome == "the other's"


def test_an_error_stands_in_the_outcome_and_the_next_chore_is_done(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_go_on: scheduler.GoOn) -> str:
        raise ZeroDivisionError("a secret")

    due("fails", fail)
    due("works", lambda _go_on: "done")
    with scheduling():
        failed = ended("fails")
        assert ended("works").outcome == "done"
        due("works", lambda _go_on: "done again")
        wait_until(lambda: Chore.objects.get(name="works").outcome == "done again", "the thread goes on")
    assert failed.outcome == "failed: ZeroDivisionError"
    assert failed.due_at > timezone.now()
    assert "fails" in caplog.text


def test_a_process_that_ends_stops_its_chore_within_a_second_and_leaves_it_due() -> None:
    begun = threading.Event()

    def go_on_for_ever(go_on: scheduler.GoOn) -> str:
        while True:
            begun.set()
            go_on()
            time.sleep(0.01)

    due("endless", go_on_for_ever)
    with scheduling() as running:
        assert begun.wait(10)
        started = time.monotonic()
        running.stop()
        assert time.monotonic() - started < 1
    chore = ended("endless")
    assert chore.outcome.startswith("stopped")
    assert chore.due_at <= timezone.now() + timedelta(seconds=1)


def test_a_fault_of_the_database_while_a_process_ends_leaves_the_chore_due_at_once() -> None:
    begun, ending = threading.Event(), threading.Event()

    def fail_at_the_end(_go_on: scheduler.GoOn) -> str:
        begun.set()
        assert ending.wait(10)
        raise OperationalError("database is locked")

    due("locked", fail_at_the_end)
    with scheduling() as running:
        assert begun.wait(10)
        running._ending.set()
        ending.set()
        running.stop()
    chore = ended("locked")
    assert chore.outcome == "stopped: its process ended"
    assert chore.due_at <= timezone.now() + timedelta(seconds=1)


def test_a_chore_that_is_due_while_the_database_is_away_is_done_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    due("sweep", lambda _go_on: "done")
    with scheduling():
        with database_away():
            wait_until(lambda: "wait for the database" in caplog.text, "the database is missed")
        assert ended("sweep").outcome == "done"
    assert caplog.text.count("wait for the database") == 1
