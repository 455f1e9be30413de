"""One for each event loop, and none where no loop runs."""

import asyncio

import pytest

from ledger.per_loop import PerLoop


def test_a_loop_gets_the_same_each_time_and_another_loop_another() -> None:
    per_loop = PerLoop(object)

    async def ask_twice() -> tuple[object, object]:
        return per_loop(), per_loop()

    (first, again), (other, _) = asyncio.run(ask_twice()), asyncio.run(ask_twice())
    assert first is again
    assert other is not first
    assert type(first) is type(other) is object


def test_it_is_made_only_when_it_is_asked_for_in_a_loop() -> None:
    made: list[int] = []
    per_loop = PerLoop(lambda: made.append(1))
    with pytest.raises(RuntimeError):
        per_loop()
    assert made == []
