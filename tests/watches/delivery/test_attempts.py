"""Attempts that do not end: they count as failed, and what they hold does not grow."""

import threading

import pytest

from tests.waiting import wait_until
from watches.delivery import attempts
from watches.delivery.attempts import Attempts, TookTooLong


def test_an_attempt_that_was_given_up_is_held_until_its_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", 0.0)
    released, all_attempts = threading.Event(), Attempts[str]()

    def wait(_: str) -> None:
        released.wait(20)

    all_attempts.begin("slow", wait)
    ((job, error, _),) = all_attempts.ended()
    assert (job, type(error)) == ("slow", TookTooLong)
    # It is tried again later, and not while this thread is there.
    assert (all_attempts.jobs, all_attempts.held) == ([], ["slow"])
    released.set()
    wait_until(lambda: not all_attempts.ended() and not all_attempts.held, "its thread has ended")
