"""The line on a terminal that is drawn over: never wider than the terminal, never in a file."""

import os
import shutil
import time

import pytest

from tests.apps import files_with
from vx11_client import status_line
from vx11_client.status_line import CLEAR_LINE, StatusLine


@pytest.fixture
def written() -> list[str]:
    return []


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the test, in its first item."""
    times = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((20, 24)))
    return times


def test_a_line_is_drawn_over_and_cut_to_the_terminal(written: list[str], now: list[float]) -> None:
    line = StatusLine(written.append, bool, is_live=True)
    line.draw("x" * 100)
    assert written == [CLEAR_LINE + "x" * 19]
    line.say("a note")
    line.clear()
    assert written[1:] == [f"{CLEAR_LINE}a note\n", CLEAR_LINE]


def test_a_line_is_not_drawn_more_often_than_eyes_follow(written: list[str], now: list[float]) -> None:
    line = StatusLine(written.append, bool, is_live=True)
    for _ in range(4):
        line.draw("so far")
        now[0] += status_line.REDRAW_SECONDS * 0.6
    assert len(written) == 2
    assert line.is_due


def test_work_that_is_done_at_once_is_not_shown(written: list[str], now: list[float]) -> None:
    line = StatusLine(written.append, bool, is_live=True, waits_first=True)
    line.draw("done")
    assert written == []
    now[0] += status_line.REDRAW_SECONDS
    line.draw("so far")
    assert written == [f"{CLEAR_LINE}so far"]


def test_into_a_file_goes_a_plain_line_now_and_then_or_none(written: list[str], now: list[float]) -> None:
    line = StatusLine(written.append, bool, is_live=False, plain_seconds=5.0)
    for _ in range(11):
        line.draw("x" * 100)
        now[0] += 1
    line.clear()
    assert written == ["x" * 100 + "\n"] * 3
    silent = StatusLine(written.append, bool, is_live=False)
    silent.draw("so far")
    assert not silent.is_due
    silent.say("a note")
    assert written[3:] == ["a note\n"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('"\\r\\x1b[K"', "vx11_client/status_line.py"),
        ('"[A-Za-z0-9._-]{1,64}"', "vx11_client/wire_names.py"),
        ('"[a-z0-9._-]{1,64}"', "vx11_client/wire_names.py"),
        ('"seconds", "m": "minutes"', "gateway/durations.py"),
    ],
)
def test_what_must_agree_everywhere_stands_in_one_place(text: str, place: str) -> None:
    assert files_with(text) == [place]
