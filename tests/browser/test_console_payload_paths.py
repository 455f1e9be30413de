"""The query line suggests paths into the payloads that the page has, and their values; a long list of one opens."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
PATHS = """
    async (payloads) => {
        const { pathsOf, valuesAt } = await import("/static/operator_api/payload-paths.js");
        const events = payloads.map((payload) => ({ payload }));
        const began = performance.now();
        const paths = pathsOf(events);
        return { paths, values: paths.map((path) => valuesAt(events, path)), ms: performance.now() - began };
    }
"""


@pytest.fixture
def line(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> Locator:
    payloads = [
        {"http": {"status": 502, "path": "/a b"}, "odd key": 1},
        {"http": {"status": 502}},
        {"http": {"status": 404}, "tags": ["red", "blue"]},
    ]
    service.published([new_event(summary=f"{at} {marker}", payload=payload) for at, payload in enumerate(payloads)])
    console.show(q=marker)
    expect(console.row(f"2 {marker}")).to_be_visible()
    return console.page.get_by_role("combobox", name="Query")


def offered(console: ConsolePage) -> Locator:
    return console.page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def test_paths_of_the_loaded_events_are_suggested_and_taken_by_keys_alone(
    console: ConsolePage, line: Locator, marker: str
) -> None:
    line.press("End")
    console.page.keyboard.type(" payload.")
    expect(offered(console)).to_have_text(
        ["payload.http.status:", "payload.http.path:", 'payload."odd key":', "payload.tags:"]
    )
    console.page.keyboard.type("http.s")
    expect(offered(console)).to_have_text(["payload.http.status:"])
    assert broken_rules(console.page) == []
    console.page.keyboard.press("ArrowDown")
    console.page.keyboard.press("Enter")
    expect(line).to_have_value(f"{marker} payload.http.status:")
    # Behind a path come the values that are there, the most frequent first.
    expect(offered(console)).to_have_text(["502", "404"])
    console.page.keyboard.press("ArrowDown")
    console.page.keyboard.press("ArrowDown")
    console.page.keyboard.press("Enter")
    expect(line).to_have_value(f"{marker} payload.http.status:404 ")
    expect(console.row(f"0 {marker}")).to_have_count(0)
    expect(console.row(f"2 {marker}")).to_be_visible()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ('payload."odd', 'payload."odd key":'),
        ("payload.http.path:", '"/a b"'),
        ("payload.tags:(red,bl", "blue"),
        ("-payload.http.st", "payload.http.status:"),
    ],
)
def test_suggestions_stand_where_something_can_stand(
    console: ConsolePage, line: Locator, marker: str, typed: str, expected: str
) -> None:
    line.fill(f"{marker} {typed}")
    line.press("End")
    line.press("ArrowDown")
    expect(offered(console).first).to_have_text(expected)
    line.press("Enter")
    expect(line).to_have_value(re.compile(re.escape(expected) + " ?$"))


def test_large_payloads_are_looked_through_quickly_and_with_an_end(console: ConsolePage) -> None:
    deep: dict[str, object] = {"leaf": 1}
    for _ in range(40):
        deep = {"d": deep}
    wide = {f"key{at}": {f"part{other}": at for other in range(40)} for at in range(200)}
    found = console.page.evaluate(PATHS, [{"n": 1}, deep, *[wide] * 20])
    assert found["paths"][0] == "payload.n" or "payload.n" in found["paths"]
    assert not [path for path in found["paths"] if path.count(".") > 8]
    assert len(found["paths"]) < 5_000
    assert console.page.evaluate(PATHS, [{"a": [{"b": None}, {"b": True}, [{"b": 1.5}]], "e": {}, "t": "x" * 90}]) == {
        "paths": ["payload.a.b", "payload.t"],
        "values": [[["null", 1], ["true", 1], ["1.5", 1]], []],
        "ms": pytest.approx(0, abs=500),
    }


def test_a_long_list_opens_piece_by_piece_to_its_end(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=marker, payload={"list": [f"item {at}" for at in range(450)]}))
    console.row(marker).click()
    tree = console.page.locator("#detail .tree")
    items = tree.locator("ul li:not(.more)")
    expect(items).to_have_count(200)
    more = tree.get_by_role("button", name="Show more")
    expect(more).to_have_text("Show more, 250 are left")
    assert broken_rules(console.page, within="#detail") == []
    more.press("Enter")
    expect(items).to_have_count(400)
    # Who goes on by keys is at the first that came.
    expect(items.nth(200).get_by_role("button")).to_be_focused()
    expect(more).to_have_text("Show more, 50 are left")
    more.click()
    expect(items).to_have_count(450)
    expect(more).to_have_count(0)
    expect(items.last).to_contain_text('"item 449"')
