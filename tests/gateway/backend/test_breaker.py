"""The circuit breaker: opens after failures in a row, and lets one try when it has waited."""

import pytest

from gateway.backend.breaker import FAILURES_LIMIT, PAUSE_SECONDS, Breaker, Turn


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def closed(clock: Clock) -> Breaker:
    return Breaker(clock=clock)


@pytest.fixture
def broken(closed: Breaker) -> Breaker:
    for _ in range(FAILURES_LIMIT):
        turn_of(closed).failed()
    return closed


def turn_of(breaker: Breaker) -> Turn:
    turn = breaker.turn()
    assert turn is not None
    return turn


def test_a_success_forgets_the_failures_before_it(closed: Breaker) -> None:
    for _ in range(3):
        for _ in range(FAILURES_LIMIT - 1):
            turn_of(closed).failed()
        turn_of(closed).succeeded()
    assert closed.turn()


def test_after_failures_in_a_row_nobody_tries(broken: Breaker, clock: Clock) -> None:
    assert not broken.turn()
    clock.now += PAUSE_SECONDS - 0.1
    assert not broken.turn()


def test_after_the_pause_one_tries_and_a_success_lets_all_in(broken: Breaker, clock: Clock) -> None:
    clock.now += PAUSE_SECONDS
    trying = turn_of(broken)
    assert not broken.turn()
    trying.succeeded()
    assert broken.turn()
    assert broken.turn()


def test_after_the_pause_a_failure_begins_another_pause(broken: Breaker, clock: Clock) -> None:
    clock.now += PAUSE_SECONDS
    turn_of(broken).failed()
    assert not broken.turn()
    clock.now += PAUSE_SECONDS
    assert broken.turn()


def test_a_try_of_which_nothing_is_known_leaves_the_place_to_another(broken: Breaker, clock: Clock) -> None:
    clock.now += PAUSE_SECONDS
    turn_of(broken).gave_up()
    assert broken.turn()


@pytest.mark.parametrize("late", ["succeeded", "failed", "gave_up"])
def test_what_comes_late_of_a_try_from_before_decides_nothing(late: str, closed: Breaker, clock: Clock) -> None:
    old = [turn_of(closed) for _ in range(FAILURES_LIMIT + 2)]
    for turn in old[:FAILURES_LIMIT]:
        turn.failed()
    # While nobody tries: neither is the pause over, nor does it begin anew.
    getattr(old[-2], late)()
    assert closed.is_open
    clock.now += PAUSE_SECONDS
    trying = turn_of(closed)
    # While one tries: nobody else may, and what comes of it still decides.
    getattr(old[-1], late)()
    assert closed.is_open
    assert not closed.turn()
    trying.succeeded()
    assert not closed.is_open


def test_failures_from_before_it_closed_are_not_counted_again(closed: Breaker, clock: Clock) -> None:
    old = [turn_of(closed) for _ in range(2 * FAILURES_LIMIT)]
    for turn in old[:FAILURES_LIMIT]:
        turn.failed()
    clock.now += PAUSE_SECONDS
    turn_of(closed).succeeded()
    for turn in old[FAILURES_LIMIT:]:
        turn.failed()
    assert not closed.is_open
