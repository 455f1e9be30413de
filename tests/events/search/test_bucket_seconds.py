"""How long the buckets of a histogram are: whole minutes from a minute on, which the index has counted."""

import pytest

from events.search import bucket_seconds


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [(0.2, 1), (5.0, 5), (36.01, 37), (60.0, 60), (60.001, 60), (72.0, 120), (864.0, 900), (1440.00001, 1440)],
)
def test_buckets_of_a_minute_or_more_are_whole_minutes(wanted: float, seconds: int) -> None:
    assert bucket_seconds(wanted) == seconds


@pytest.mark.parametrize(("wanted", "unit", "seconds"), [(5.0, 60, 60), (70.0, 60, 120), (5_000.0, 3_600, 7_200)])
def test_buckets_are_whole_units_of_what_was_counted(wanted: float, unit: int, seconds: int) -> None:
    assert bucket_seconds(wanted, unit) == seconds
