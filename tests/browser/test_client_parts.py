"""Small parts of the browser's client library by themselves: positions, ranges, filters."""

import itertools
from typing import Any

import pytest
from playwright.sync_api import Page

from gateway.filters import Selection, read_severities, read_values
from tests.browser.scripted import ScriptedServer

TAKE = """
    async ({ cursor, ranges }) => {
        const { Reader } = await import("/static/events/reader.js");
        const handed = [];
        const reader = new Reader(cursor, () => true, (event) => handed.push(event.seq) > 0);
        const taken = ranges.map(([after, upto, numbers]) =>
            reader.take({ after, upto, events: numbers.map((seq) => ({ seq })) }));
        return { taken, handed, cursor: reader.cursor };
    }
"""
MISSED = """
    async (places) => {
        const { isMissedBy } = await import("/static/events/cursors.js");
        return isMissedBy(...places);
    }
"""
ADMITTED = """
    async ({ filters, events }) => {
        const { questionOf } = await import("/static/events/filters.js");
        return events.map(questionOf(filters));
    }
"""


@pytest.fixture
def page(page: Page, script: ScriptedServer) -> Page:
    page.goto(script.url)
    return page


@pytest.mark.parametrize(
    ("cursor", "ranges", "taken", "handed", "reached"),
    [
        pytest.param("e-3", [("e-3", "e-5", [4, 5])], [True], [4, 5], "e-5", id="what follows"),
        pytest.param("e-4", [("e-2", "e-6", [3, 4, 5, 6])], [True], [5, 6], "e-6", id="an overlap"),
        pytest.param("e-6", [("e-2", "e-6", [3, 4, 5, 6])], [True], [], "e-6", id="what is known"),
        pytest.param("e-3", [("e-4", "e-6", [5, 6])], [False], [], "e-3", id="a gap"),
        pytest.param("e-3", [("e-2", "e-9", [])], [True], [], "e-9", id="nothing that may be seen"),
        pytest.param("e-3", [("n-1", "n-2", [2])], [False], [], "e-3", id="another log"),
        pytest.param(None, [("e-4", "e-6", [5, 6])], [True], [5, 6], "e-6", id="from now"),
        pytest.param("e-3", [("e-4", "e-5", [5]), ("e-3", "e-5", [4, 5])], [False, True], [4, 5], "e-5", id="healed"),
    ],
)
def test_a_reader_takes_what_it_has_not_had_and_leaves_no_gap(
    page: Page, cursor: str | None, ranges: list[Any], taken: list[bool], handed: list[int], reached: str
) -> None:
    expected = {"taken": taken, "handed": handed, "cursor": reached}
    assert page.evaluate(TAKE, {"cursor": cursor, "ranges": ranges}) == expected


@pytest.mark.parametrize(
    ("cursor", "after", "newest", "missed"),
    [
        pytest.param("e-5", "e-9", "n-2", True, id="the log was replaced"),
        pytest.param("n-2", "e-9", "n-2", False, id="the log was replaced and this reader knows"),
        pytest.param("e-5", "e-5", "e-90", True, id="pruned"),
        pytest.param("e-40", "e-5", "e-90", False, id="pruned behind this reader"),
        pytest.param("e-500", "e-500", "e-20", True, id="ahead of the log"),
        pytest.param("e-20", "e-500", "e-20", False, id="the other was ahead of the log"),
        pytest.param(None, "e-5", "e-90", False, id="not begun"),
    ],
)
def test_a_reset_of_the_leader_concerns_those_who_missed_something(
    page: Page, cursor: str | None, after: str, newest: str, *, missed: bool
) -> None:
    assert page.evaluate(MISSED, [cursor, after, newest]) is missed


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"severity": "Warning"},
        {"severity": ["error", "critical"]},
        {"module": "madre, hermes"},
        {"module": ["hermes"], "event_type": ["drift", "scan"]},
        {"correlation_id": ["abc"], "severity": []},
        {"severity": ""},
    ],
    ids=str,
)
def test_a_tab_filters_as_the_server_does(page: Page, filters: dict[str, str | list[str]]) -> None:
    values = [["warn", "error"], ["madre", "hermes"], ["drift", "other"], ["abc", "ABC"]]
    fields = ["severity", "module", "event_type", "correlation_id"]
    events = [dict(zip(fields, chosen, strict=True)) for chosen in itertools.product(*values)]
    given = {name: [value] if isinstance(value, str) else value for name, value in filters.items()}
    selection = Selection(
        severities=read_severities("severity", given.get("severity", [])),
        modules=read_values("module", given.get("module", [])),
        event_types=read_values("event_type", given.get("event_type", [])),
        correlation_ids=read_values("correlation_id", given.get("correlation_id", [])),
    )
    admitted = [selection.admits(**event) for event in events]
    assert page.evaluate(ADMITTED, {"filters": filters, "events": events}) == admitted


WAIT_WITH = """
    async ({ ranges, characters }) => {
        const { CatchUp } = await import("/static/events/catch-up.js");
        const { Reader } = await import("/static/events/reader.js");
        const asked = [];
        const handed = [];
        let answer;
        const events = (signal, query) => new Promise((resolve) => { asked.push(query.since); answer = resolve; });
        const reader = new Reader("e-0", () => true, (event) => handed.push(event.seq) > 0);
        const tab = new CatchUp({ api: { events }, history: 0, reader, onreset() {}, onfinal() {} });
        const padding = "x".repeat(characters);
        for (let seq = 2; seq < 2 + ranges; seq += 1) {
            tab.take({ after: `e-${seq - 1}`, upto: `e-${seq}`, events: [{ seq, padding }] });
        }
        answer({ status: 200, body: { events: [{ seq: 1 }], cursor: "e-1", has_more: false } });
        await new Promise((resolve) => setTimeout(resolve));
        tab.stop();
        return handed;
    }
"""


@pytest.mark.parametrize(
    ("ranges", "characters", "handed"),
    [
        pytest.param(3, 10, [1, 2, 3, 4], id="what waits follows what was read"),
        pytest.param(20, 1024 * 1024, [1], id="too many letters: the oldest are read again"),
        pytest.param(5_001, 10, [1], id="too many ranges: the oldest are read again"),
    ],
)
def test_what_waits_while_a_tab_reads_is_bounded(page: Page, ranges: int, characters: int, handed: list[int]) -> None:
    assert page.evaluate(WAIT_WITH, {"ranges": ranges, "characters": characters}) == handed


# A tab at e-5 that has to read what it misses; `steps` says what happens then, and when which answer comes.
CATCH_UP = """
    async ({ history, steps }) => {
        const { CatchUp } = await import("/static/events/catch-up.js");
        const { Reader } = await import("/static/events/reader.js");
        const asked = [];
        const handed = [];
        let answer;
        const events = (signal, { since = null }) => {
            asked.push(since);
            return new Promise((resolve) => { answer = resolve; });
        };
        const reader = new Reader("e-5", () => true, (event) => handed.push(event.seq) > 0);
        const tab = new CatchUp({ api: { events }, history, reader, onreset() {}, onfinal() {} });
        const eventsOf = (numbers) => numbers.map((seq) => ({ seq }));
        for (const { range, answered, reset } of steps) {
            if (range) tab.take({ after: range[0], upto: range[1], events: eventsOf(range[2]) });
            if (answered) answer({ status: 200, body: { events: eventsOf(answered[1]), cursor: answered[0] } });
            if (reset !== undefined) { reader.cursor = reset; tab.start(); }
            await new Promise((resolve) => setTimeout(resolve));
        }
        tab.stop();
        return { asked, handed, cursor: reader.cursor };
    }
"""


def test_a_page_that_was_asked_for_before_a_reset_is_not_taken_after_it(page: Page) -> None:
    # With history, a reset takes the position away, and any range would then seem to follow.
    gap = {"range": ("e-8", "e-9", [9])}
    late, fresh = {"answered": ("e-8", [6, 7, 8])}, {"answered": ("n-3", [2, 3])}
    steps = [gap, {"reset": None}, late, fresh]
    expected = {"asked": ["e-5", None], "handed": [2, 3], "cursor": "n-3"}
    assert page.evaluate(CATCH_UP, {"history": 2, "steps": steps}) == expected


def test_a_range_of_another_log_is_left_out_and_those_behind_it_do_not_wait(page: Page) -> None:
    steps = [{"range": ("n-1", "n-2", [2])}, {"range": ("e-5", "e-6", [6])}, {"answered": ("e-5", [])}]
    expected = {"asked": ["e-5"], "handed": [6], "cursor": "e-6"}
    assert page.evaluate(CATCH_UP, {"history": 0, "steps": steps}) == expected
