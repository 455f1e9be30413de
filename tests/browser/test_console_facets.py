"""The rail of values: its counts are those of the API for what is asked now, and a press changes the query."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.accounts import Account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API, Client
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]


@pytest.fixture
def asked(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """Six events of three modules."""
    kinds = [
        ("switch", "route.changed", "info", 200),
        ("switch", "route.changed", "info", 502),
        ("switch", "route.lost", "error", 502),
        ("hermes", "model.slow", "warn", 502),
        ("hermes", "model.slow", "warn", "slow down"),
        ("spawner", "worker.lost", "critical", None),
    ]
    service.published(
        [
            new_event(
                summary=f"{at} {module}", module=module, event_type=kind, severity=severity, payload={"status": status}
            )
            for at, (module, kind, severity, status) in enumerate(kinds)
        ]
    )
    console.show(q=f"correlation:{marker}", facets="payload.status")
    expect(facet(console, "module").locator("li")).to_have_count(3)
    return console


def facet(console: ConsolePage, field: str) -> Locator:
    return console.page.locator(f"[data-facet='{field}']")


def value(console: ConsolePage, field: str, name: str) -> Locator:
    return facet(console, field).locator("li").filter(has_text=name)


def figures(console: ConsolePage, field: str) -> dict[str, int]:
    names = facet(console, field).locator(".name").all_text_contents()
    return dict(zip(names, map(int, facet(console, field).locator(".count").all_text_contents()), strict=True))


def test_the_counts_are_those_of_the_api_for_what_is_asked_now(
    asked: ConsolePage, principal: Client, marker: str
) -> None:
    fields = ("severity", "module", "event_type", "payload.status")
    parameters = {"q": f"correlation:{marker}", "fields": ",".join(fields)}
    counted = principal.get(f"{API}/events/facets", params=parameters).json()["facets"]
    for field in fields:
        assert figures(asked, field) == {each["value"]: each["count"] for each in counted[field]["values"]}
    assert figures(asked, "module") == {"switch": 3, "hermes": 2, "spawner": 1}
    asked.page.get_by_label("Query").fill(f"correlation:{marker} severity>=error")
    expect(facet(asked, "module").locator("li")).to_have_count(2)
    assert figures(asked, "module") == {"switch": 1, "spawner": 1}
    assert asked.problems == []


def test_a_press_includes_several_values_and_takes_them_back(asked: ConsolePage, marker: str) -> None:
    line = asked.page.get_by_label("Query")
    value(asked, "module", "switch").locator(".include").click()
    expect(line).to_have_value(f"correlation:{marker} module:switch")
    expect(asked.rows).to_have_count(3)
    expect(value(asked, "module", "switch").locator(".include")).to_have_attribute("aria-pressed", "true")
    # The other fields count what is asked now; this one offers the others, too.
    expect(facet(asked, "event_type").locator("li")).to_have_count(2)
    expect(facet(asked, "module").locator("li")).to_have_count(3)
    value(asked, "module", "hermes").locator(".include").click()
    expect(line).to_have_value(f"correlation:{marker} module:(switch,hermes)")
    expect(asked.rows).to_have_count(5)
    value(asked, "module", "switch").locator(".include").click()
    expect(line).to_have_value(f"correlation:{marker} module:hermes")
    value(asked, "module", "hermes").locator(".include").click()
    expect(line).to_have_value(f"correlation:{marker}")
    expect(asked.rows).to_have_count(6)
    asked.page.go_back()
    expect(line).to_have_value(f"correlation:{marker} module:hermes")


def test_alt_and_a_press_or_the_button_exclude(asked: ConsolePage, marker: str) -> None:
    line = asked.page.get_by_label("Query")
    value(asked, "module", "switch").locator(".include").click(modifiers=["Alt"])
    expect(line).to_have_value(f"correlation:{marker} -module:switch")
    expect(asked.rows).to_have_count(3)
    asked.page.get_by_role("button", name="Without spawner").click()
    expect(line).to_have_value(f"correlation:{marker} -module:(switch,spawner)")
    expect(asked.rows).to_have_count(2)
    # What was excluded stays in the list, to be taken back.
    excluded = value(asked, "module", "switch").locator(".exclude")
    expect(excluded).to_have_attribute("aria-pressed", "true")
    excluded.click()
    expect(line).to_have_value(f"correlation:{marker} -module:spawner")
    asked.page.get_by_role("button", name="Without error").click()
    value(asked, "payload.status", "slow down").locator(".exclude").click()
    expect(line).to_have_value(f'correlation:{marker} -module:spawner -severity:error -payload.status:"slow down"')
    expect(asked.rows).to_have_count(3)


def test_what_another_query_says_stays_as_it_is(asked: ConsolePage, marker: str) -> None:
    line = asked.page.get_by_label("Query")
    line.fill(f'correlation:{marker} (route OR "slow") type:route.*')
    expect(asked.rows).to_have_count(3)
    value(asked, "severity", "error").locator(".include").click()
    expect(line).to_have_value(f'correlation:{marker} (route OR "slow") type:route.* severity:error')
    line.fill("model OR worker")
    value(asked, "severity", "warn").locator(".include").click()
    expect(line).to_have_value("(model OR worker) severity:warn")


def test_fields_of_the_payload_are_added_and_removed_and_stand_in_the_address(asked: ConsolePage) -> None:
    path = asked.page.get_by_label("Count a field of the payload")
    path.fill("not a path!")
    path.press("Enter")
    assert path.evaluate("(field) => field.validity.customError")
    path.fill("payload.other.one")
    path.press("Enter")
    expect(asked.page).to_have_url(re.compile("facets=payload.status,payload.other.one"))
    expect(facet(asked, "payload.other.one")).to_be_visible()
    asked.page.reload()
    expect(value(asked, "payload.status", "502")).to_contain_text("3")
    asked.page.get_by_role("button", name="Do not count payload.other.one any more").click()
    expect(facet(asked, "payload.other.one")).to_have_count(0)
    expect(asked.page).to_have_url(re.compile("facets=payload.status$"))
    assert asked.problems == []


def test_keys_alone_include_and_exclude_and_the_focus_stays(asked: ConsolePage) -> None:
    include = value(asked, "module", "hermes").locator(".include")
    include.focus()
    asked.page.keyboard.press("Enter")
    expect(include).to_have_attribute("aria-pressed", "true")
    expect(include).to_be_focused()
    asked.page.keyboard.press("Tab")
    expect(value(asked, "module", "hermes").locator(".exclude")).to_be_focused()
    asked.page.keyboard.press("Enter")
    expect(value(asked, "module", "hermes").locator(".exclude")).to_have_attribute("aria-pressed", "true")
    expect(value(asked, "module", "hermes").locator(".exclude")).to_be_focused()
    assert broken_rules(asked.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 768, 1280, 1600])
def test_the_rail_stands_beside_the_feed_and_is_folded_where_there_is_little_room(
    new_page: Callable[..., Page], stack: Stack, viewer: Account, width: int, scheme: str
) -> None:
    page = new_page(viewport=ViewportSize(width=width, height=800), color_scheme=scheme)
    console = ConsolePage(page, stack.a.url)
    console.open(viewer)
    rail = page.locator(".facets")
    assert rail.evaluate("(rail) => rail.open") is (width >= 1024)
    box = console.feed.bounding_box()
    assert box is not None
    assert box["height"] >= 200
    assert box["width"] >= width - 300
    if width < 1024:
        rail.locator("summary").click()
    expect(facet(console, "module").locator("li").first).to_be_visible()
    expect(console.feed).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert broken_rules(page) == []
    assert console.problems == []
