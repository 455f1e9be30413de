"""Text that is made to cost: whatever part of a request holds it, it costs about as much as other text."""

import os

import pytest

from tests.client import API
from tests.server.watching import wait_for_line
from tests.server.wire import Wire, request
from tests.stacks import Stack
from vx11_site.server.access_log import RECORD_LIMIT_BYTES

pytestmark = pytest.mark.once

LENGTH = 12_000
REQUESTS = 4
# What a request of this length costs at the most, as many times what harmless text costs.
WORST_RATIO = 6.0
# The clock of a process ticks so slowly that less than this says nothing.
UNSEEN_SECONDS = 0.12
# What is repeated.
UNITS = ["%", "%25", "&%=", "0-", "/%2f", "vx11p_", "0a0a0a0a-"]
EVENTS, LOGIN = f"{API}/events", "/operator/login"
# Where the text stands, and the address at which that is read.
PLACES = {
    **dict.fromkeys(("path", "query", "method"), EVENTS),
    **dict.fromkeys(("accept", "authorization", "x-vx11-token", "x-correlation-id", "user-agent", "origin"), EVENTS),
    **dict.fromkeys(("last-event-id", "sec-fetch-site"), f"{EVENTS}/stream"),
    **dict.fromkeys(("cookie", "accept-language", "referer", "host"), LOGIN),
    **dict.fromkeys(("if-none-match", "range", "accept-encoding"), "/static/operator_api/console.js"),
}


def cpu_seconds(stack: Stack) -> float:
    with open(f"/proc/{stack.a.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(stack: Stack, place: str, unit: str) -> float:
    """CPU of the server for some requests that hold the text."""
    text = (unit * LENGTH)[:LENGTH]
    method, target, headers = "GET", PLACES[place], {}
    if place == "path":
        target = f"{API}/{text}"
    elif place == "query":
        target += f"?{text}"
    elif place == "method":
        method = "".join(letter for letter in text if letter.isalnum() or letter in "%-_")
    else:
        headers = {place: text}
    began = cpu_seconds(stack)
    for _ in range(REQUESTS):
        with Wire(stack.a.url) as wire:
            wire.send(request(method, target, {**headers, "Connection": "close"}))
            assert wire.answer().status < 500
    return cpu_seconds(stack) - began


@pytest.mark.parametrize("place", PLACES)
def test_n01_hostile_text_costs_what_other_text_costs(stack: Stack, place: str) -> None:
    harmless = cost(stack, place, "a")
    costs = {unit: cost(stack, place, unit) for unit in UNITS}
    limit = max(UNSEEN_SECONDS, WORST_RATIO * harmless)
    assert {unit: spent for unit, spent in costs.items() if spent > limit} == {}, (limit, costs)


def test_n01_what_a_refused_request_says_takes_a_bounded_line_of_the_log(stack: Stack, marker: str) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", f"/{marker}?" + "%" * 15_000))
        assert wire.answer().status == 404
    assert len(wait_for_line(stack.a, " vx11.access ", marker)) < RECORD_LIMIT_BYTES
