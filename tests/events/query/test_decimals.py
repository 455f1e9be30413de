"""Numbers are compared as they were written, and in time that does not grow with their exponents."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.query import decimals

DIGITS = st.text("0123456789", min_size=1, max_size=30)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.just("0") | DIGITS.map(lambda digits: f"1{digits}"),
    st.just("") | DIGITS.map(lambda digits: f".{digits}"),
    st.just("")
    | st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 40)),
)


def read(text: str) -> decimals.Decimal:
    number = decimals.read(text)
    assert number is not None
    return number


@given(NUMBERS, NUMBERS)
def test_the_order_is_that_of_fractions(one: str, other: str) -> None:
    exact = Fraction(one) - Fraction(other)
    order = decimals.order(read(one), read(other))
    assert (order > 0, order < 0, order == 0) == (exact > 0, exact < 0, exact == 0)
    assert (read(one) == read(other)) is (exact == 0)


@pytest.mark.parametrize(
    "text", ["", "-", "+1", "01", "1.", ".1", "1e", "1_0", " 1", "1\n", "nan", "inf", "0x1", "٣", "1e1.5", "--1"]
)
def test_what_json_calls_no_number_is_none(text: str) -> None:
    assert decimals.read(text) is None


@pytest.mark.parametrize("sign", ["", "-"])
def test_the_longest_exponents_are_compared_without_computing_them(sign: str) -> None:
    digits = "9" * 100_000
    large, small, one = read(f"{sign}1e{digits}"), read(f"{sign}1e-{digits}"), read(f"{sign}1")
    assert (decimals.order(large, one) > 0) is (sign == "")
    assert (decimals.order(small, one) < 0) is (sign == "")
    assert decimals.order(large, read(f"{sign}1e1{digits}")) == 0
    assert read(f"1e{'0' * 100_000}2") == read("100")
