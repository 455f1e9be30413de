"""The circuit breaker: opens after failures in a row, and lets one try when it has waited."""

import pytest

from operator_api.breaker import FAILURES_LIMIT, PAUSE_SECONDS, Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock=clock)
    for _ in range(FAILURES_LIMIT):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_a_success_forgets_the_failures_before_it(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    for _ in range(3):
        for _ in range(FAILURES_LIMIT - 1):
            breaker.failed()
        breaker.succeeded()
    assert breaker.allows()


def test_after_failures_in_a_row_nobody_tries(broken: Breaker, clock: Clock) -> None:
    assert not broken.allows()
    clock.now += PAUSE_SECONDS - 0.1
    assert not broken.allows()


def test_after_the_pause_one_tries_and_a_success_lets_all_in(broken: Breaker, clock: Clock) -> None:
    clock.now += PAUSE_SECONDS
    assert [broken.allows(), broken.allows()] == [True, False]
    broken.succeeded()
    assert [broken.allows(), broken.allows()] == [True, True]


def test_after_the_pause_a_failure_begins_another_pause(broken: Breaker, clock: Clock) -> None:
    clock.now += PAUSE_SECONDS
    assert broken.allows()
    broken.failed()
    assert not broken.allows()
    clock.now += PAUSE_SECONDS
    assert broken.allows()


def test_a_try_of_which_nothing_is_known_leaves_the_place_to_another(broken: Breaker, clock: Clock) -> None:
    clock.now += PAUSE_SECONDS
    assert broken.allows()
    broken.gave_up()
    assert broken.allows()
