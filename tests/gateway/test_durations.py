"""Times in options and settings: one form, whichever command or variable reads it."""

from argparse import ArgumentTypeError
from datetime import timedelta

import pytest

from gateway.durations import read_duration
from gateway.jobs.purge import age
from gateway.management.commands.issue_token import duration
from vx11_site.config.environment import BadEnvironment, Environment, Rate


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5s", timedelta(seconds=5)),
        ("10m", timedelta(minutes=10)),
        ("36h", timedelta(hours=36)),
        ("90d", timedelta(days=90)),
        ("999999d", timedelta(days=999_999)),
    ],
)
def test_a_number_and_a_unit_are_a_time(text: str, meant: timedelta) -> None:
    assert read_duration(text) == duration(text) == meant


# The last is five in Arabic digits, which int() takes.
@pytest.mark.parametrize("text", ["", "d", "90", "90 d", "-1d", "1.5d", "1000000d", "1w", "1d1h", "90d\n", "\u0665d"])
def test_whatever_else_is_none(text: str) -> None:
    assert read_duration(text) is None
    with pytest.raises(ArgumentTypeError):
        duration(text)
    with pytest.raises(ArgumentTypeError):
        age(text)
    with pytest.raises(BadEnvironment):
        Environment({"VX11_PUBLISH_RATE": f"1/{text}x"}).rate("VX11_PUBLISH_RATE")


@pytest.mark.parametrize("text", ["2d", "48h"])
def test_an_age_has_hours_or_days(text: str) -> None:
    assert age(text) == timedelta(days=2)


@pytest.mark.parametrize("text", ["3600m", "86400s", "1h", "36501d"])
def test_an_age_that_could_be_a_typing_error_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        age(text)


@pytest.mark.parametrize(
    ("text", "rate"), [("100/s", (100, 1)), ("60/m", (60, 60)), ("10/5m", (10, 300)), ("7/2d", (7, 172_800))]
)
def test_a_rate_is_a_number_in_a_time(text: str, rate: tuple[int, int]) -> None:
    assert Environment({"VX11_PUBLISH_RATE": text}).rate("VX11_PUBLISH_RATE") == Rate(*rate)


@pytest.mark.parametrize("text", ["0/s", "1/0s", "1/05m", "1/", "/s", "1/1000000s", "1/5w", "1/ s"])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadEnvironment):
        Environment({"VX11_PUBLISH_RATE": text}).rate("VX11_PUBLISH_RATE")
