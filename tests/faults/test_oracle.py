"""What judges the fault tests must itself be able to say no."""

import pytest

from tests.faults.resident_memory import MEGABYTE, ResidentMemory
from tests.faults.traffic import difference


def test_a_reader_that_got_everything_once_and_in_order_differs_in_nothing() -> None:
    assert difference([1, 2, 3], [1, 2, 3]) == ""


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([1, 3], "missing [2] of 1"),
        ([1, 2, 2, 3], "twice [2]"),
        ([1, 2, 3, 4], "not asked for [4]"),
        ([2, 1, 3], "out of order"),
    ],
)
def test_a_reader_that_did_not_is_described(seen: list[int], words: str) -> None:
    assert words in difference(seen, [1, 2, 3])


class Grower(ResidentMemory):
    """Sees processes of invented sizes."""

    def grow(self, pid: int, *, first: float, megabytes_a_minute: float, seconds: int) -> None:
        sizes = ((at, first + megabytes_a_minute * at / 60) for at in range(0, seconds, 5))
        self._samples[pid] = [(float(at), int(size * MEGABYTE)) for at, size in sizes]


def test_memory_that_grows_is_measured_in_megabytes_a_minute() -> None:
    memory = Grower(warm_up_seconds=60)
    memory.grow(1, first=100, megabytes_a_minute=2.5, seconds=900)
    memory.grow(2, first=100, megabytes_a_minute=0, seconds=900)
    assert memory.growth() == {1: pytest.approx(2.5, abs=0.01), 2: pytest.approx(0, abs=0.01)}


def test_a_process_that_did_not_live_long_says_nothing() -> None:
    memory = Grower(warm_up_seconds=60)
    memory.grow(1, first=100, megabytes_a_minute=50, seconds=600)
    assert memory.growth() == {}
