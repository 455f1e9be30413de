"""Numbers of all sizes are found by the terms between two of them, and few terms are asked for."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.query.magnitudes import BUCKETS, bucket, number_terms, terms_between

NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**63), 2**64 - 1).map(float) | st.integers(-600, 600).map(float)
PLACES = st.integers(-BUCKETS, BUCKETS)


@given(NUMBERS, NUMBERS)
@example(0.0, 5e-324)
@example(-5e-324, -0.0)
@example(1e300, math.inf)
@example(2.0**48, 2.0**49)
def test_a_larger_number_is_in_no_smaller_bucket(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert -BUCKETS <= bucket(low) <= bucket(high) <= BUCKETS


@given(NUMBERS, PLACES, PLACES)
def test_a_number_is_found_where_its_bucket_is_and_nowhere_else(number: float, one: int, other: int) -> None:
    low, high = sorted((one, other))
    asked = terms_between(("a", "b"), low, high)
    assert (low <= bucket(number) <= high) == bool(set(asked) & set(number_terms(["a", "b"], number)))
    assert not set(asked) & set(number_terms(["a"], number))


@pytest.mark.parametrize("number", [0.0, 0.001, 500.0, 1e9, 1e40, -0.5, -1e9])
def test_a_comparison_has_some_dozens_of_terms(number: float) -> None:
    for low, high in ((bucket(number), BUCKETS), (-BUCKETS, bucket(number))):
        assert len(terms_between(["a"], low, high)) <= 2 * BUCKETS // 16 + 32


def test_numbers_that_differ_by_a_sixteenth_are_told_apart() -> None:
    places = [bucket(500 * 1.0626**step) for step in range(40)]
    assert len(set(places)) == len(places)
