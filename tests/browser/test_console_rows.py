"""Rows as the reader wants them: how many are in sight, how high they are, which columns they have, and which time."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.accounts import Account
from tests.browser.accessibility import DRAWN, broken_rules
from tests.browser.console_page import ConsolePage, enter
from tests.client import Client
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
PHONE = ViewportSize(width=375, height=667)
# Rows all of which can be seen.
WHOLE_ROWS = """
    (feed) => {
        const { top, bottom } = feed.getBoundingClientRect();
        const rows = [...feed.querySelectorAll(".row")].map((row) => row.getBoundingClientRect());
        return rows.filter((row) => row.top >= top - 0.5 && row.bottom <= bottom + 0.5).length;
    }
"""
# Of each cell, whether it stands below the head of its column.
HEADS_FIT = """
    () => {
        const lefts = (place) => [...place.children].map((cell) => cell.getBoundingClientRect().left);
        const [heads, cells] = [".column-heads", ".row"].map((name) => lefts(document.querySelector(name)));
        return heads.length === cells.length && heads.every((left, at) => Math.abs(left - cells[at]) <= 3);
    }
"""


@pytest.fixture
def feed(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """A hundred events of this test."""
    service.published([new_event(summary=f"{number} {marker}", payload={"n": number}) for number in range(100)])
    console.show(q=marker)
    expect(console.row(f"99 {marker}")).to_be_in_viewport()
    return console


def whole_rows(console: ConsolePage) -> int:
    console.page.evaluate(DRAWN)
    return int(console.feed.evaluate(WHOLE_ROWS))


def looks(console: ConsolePage) -> Locator:
    """The dialog about rows, opened."""
    console.page.get_by_role("button", name="Rows", exact=True).click()
    return console.page.get_by_role("dialog", name="How rows look")


def cells(console: ConsolePage, column: str) -> Locator:
    return console.rows.locator(f"[data-column='{column}']")


def test_at_least_24_rows_are_in_sight_at_1280_by_800_with_everything_open(feed: ConsolePage) -> None:
    assert feed.page.locator(".pictures").get_attribute("open") is not None
    assert feed.page.locator(".facets").get_attribute("open") is not None
    assert whole_rows(feed) >= 24
    feed.page.locator(".pictures > summary").click()
    expect(feed.page.locator(".plot")).to_be_hidden()
    feed.page.wait_for_function("() => document.querySelector('#feed').clientHeight > 600")
    assert whole_rows(feed) >= 29


def test_as_many_rows_are_in_sight_in_spanish_and_in_the_dark(
    feed: ConsolePage, new_page: Callable[..., Page], viewer: Account, marker: str
) -> None:
    spanish = ConsolePage(new_page(locale="es-ES", color_scheme="dark"), feed.url)
    enter(spanish.page.context, feed.url, viewer)
    spanish.page.goto(f"{feed.url}/operator/?q={marker}")
    expect(spanish.row(f"99 {marker}")).to_be_in_viewport()
    expect(spanish.page.locator(".module-tile").first).to_be_visible()
    assert whole_rows(spanish) >= 24
    assert spanish.problems == []


def test_comfortable_rows_are_higher_and_stay_so_when_the_page_is_loaded_again(feed: ConsolePage, marker: str) -> None:
    compact = feed.rows.last.evaluate("(row) => row.offsetHeight")
    assert compact < 24
    dialog = looks(feed)
    expect(dialog.get_by_label("compact")).to_be_checked()
    dialog.get_by_label("comfortable").check()
    dialog.get_by_role("button", name="Close").click()
    for _ in range(2):
        assert feed.rows.last.evaluate("(row) => row.offsetHeight") >= 27
        # The newest is in sight as before.
        expect(feed.row(f"99 {marker}")).to_be_in_viewport(ratio=0.95)
        feed.page.reload()
        feed.expect_state("Live")
        expect(feed.row(f"99 {marker}")).to_be_visible()
    # Nothing else is kept in the browser, and nothing of events.
    assert feed.page.evaluate("({ ...localStorage })") == {
        "vx11-console": json.dumps({"density": "comfortable"}).replace(" ", "")
    }
    assert looks(feed).get_by_label("comfortable").is_checked()


def test_a_long_summary_is_wrapped_for_who_wants_it(
    feed: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    long = f"{marker} " + "some words of a long summary " * 12 + "end"
    service.published(new_event(summary=long))
    text = feed.row(long).locator(".text")
    expect(text).to_be_visible()
    one_line = text.evaluate("(text) => text.offsetHeight")
    looks(feed).get_by_label("Wrap").check()
    feed.page.keyboard.press("Escape")
    for _ in range(2):
        expect(text).to_be_in_viewport(ratio=0.95)
        assert text.evaluate("(text) => text.offsetHeight") > 2 * one_line
        feed.page.reload()
        expect(text).to_be_visible()
    assert whole_rows(feed) >= 8


def test_the_fold_of_the_overview_and_of_the_values_is_kept(feed: ConsolePage) -> None:
    for name in ("pictures", "facets"):
        feed.page.locator(f".{name} > summary").press("Enter")
        expect(feed.page.locator(f".{name}")).not_to_have_attribute("open", "")
    feed.page.reload()
    feed.expect_state("Live")
    for name in ("pictures", "facets"):
        expect(feed.page.locator(f".{name}")).not_to_have_attribute("open", "")
        feed.page.locator(f".{name} > summary").click()
    feed.page.reload()
    for name in ("pictures", "facets"):
        expect(feed.page.locator(f".{name}")).to_have_attribute("open", "")
    # A telephone has folds of its own.
    feed.page.set_viewport_size(PHONE)
    expect(feed.page.locator(".pictures")).not_to_have_attribute("open", "")


def test_columns_are_chosen_stand_in_the_address_and_survive_a_reload(
    feed: ConsolePage, principal: Client, marker: str
) -> None:
    dialog = looks(feed)
    dialog.get_by_label("Type").uncheck()
    dialog.get_by_label("Correlation").check()
    dialog.get_by_label("Occurred").check()
    dialog.get_by_label("Stored").check()
    dialog.get_by_role("button", name="Close").click()
    expect(feed.page).to_have_url(re.compile("columns=module,correlation,occurred,stored"))
    feed.page.reload()
    row = feed.row(f"99 {marker}")
    expect(row).to_be_visible()
    event = principal.polled(q=f'"99 {marker}"')["events"][0]
    shown = [cell.text_content() for cell in row.locator("span").all()][1:]
    stored = event["created_at"][11:23]
    assert shown == [event["module"], event["correlation_id"], "", stored, event["summary"]]
    assert feed.page.evaluate(HEADS_FIT)
    feed.page.get_by_role("button", name="Without the column Correlation").click()
    expect(feed.page).to_have_url(re.compile("columns=module,occurred,stored"))
    expect(feed.feed).to_be_focused()
    looks(feed).get_by_role("button", name="Usual columns").click()
    expect(feed.page).not_to_have_url(re.compile("columns="))
    feed.page.keyboard.press("Escape")
    expect(feed.page.locator(".column-heads")).to_be_hidden()
    expect(row.locator(".type")).to_have_text(event["event_type"])


def test_back_leads_to_the_columns_the_query_and_the_event_of_before(feed: ConsolePage, marker: str) -> None:
    feed.row(f"97 {marker}").click()
    feed.page.get_by_label("Query").fill(f"{marker} payload.n:97")
    feed.page.get_by_role("button", name="Everything with this correlation").click()
    expect(feed.page.get_by_label("Query")).to_have_value(f"correlation:{marker}")
    looks(feed).get_by_label("Correlation").check()
    feed.page.keyboard.press("Escape")
    feed.row(f"98 {marker}").click()
    expect(feed.page).to_have_url(re.compile("columns=module,type,correlation"))
    feed.page.go_back()
    expect(feed.page.get_by_label("Query")).to_have_value(f"{marker} payload.n:97")
    expect(feed.row(f"97 {marker}").locator("[data-column]")).to_have_count(2)
    expect(feed.page.locator("#detail strong")).to_have_text(f"97 {marker}")


def test_no_columns_at_all_can_be_wanted_and_what_is_no_column_is_left_out(feed: ConsolePage, marker: str) -> None:
    feed.show(q=marker, columns="none")
    expect(feed.row(f"99 {marker}").locator("span")).to_have_count(2)
    feed.show(q=marker, columns="payload,payload..x,<b>,payload.n,nonsense")
    expect(feed.row(f"99 {marker}").locator("[data-column]")).to_have_text(["99"])
    feed.show(q=marker, columns="")
    expect(feed.row(f"99 {marker}").locator("[data-column]")).to_have_count(2)
    assert feed.problems == []


PAYLOAD = {
    "http": {"status": 502, "big": 9007199254740993},
    "tags": ["red", {"deep": 1}, ["blue"]],
    "odd key": {"a.b": "x"},
    "text": "a\u202eb",
    "list": list(range(30)),
}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("payload.http.status", "502"),
        ("payload.http.big", "9007199254740993"),
        ("payload.http", "{…}"),
        ("payload.tags", "red, {…}, blue"),
        ('payload."odd key"."a.b"', "x"),
        ("payload.text", "a\\u202eb"),
        ("payload.list", ", ".join(map(str, range(20)))),
        ("payload.missing", ""),
    ],
)
def test_a_column_shows_what_stands_at_a_path(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str, path: str, words: str
) -> None:
    service.published(new_event(summary=marker, payload=PAYLOAD))
    console.show(q=marker, columns=path)
    expect(console.row(marker).locator(".payload")).to_have_text(words)


def test_any_payload_value_of_the_detail_can_be_added_as_a_column(feed: ConsolePage, marker: str) -> None:
    feed.row(f"98 {marker}").click()
    detail = feed.page.locator("#detail")
    detail.get_by_role("button", name="What to do with payload.n").click()
    detail.get_by_role("button", name="Add as column").click()
    expect(feed.page).to_have_url(re.compile("columns=module,type,payload.n"))
    expect(feed.row(f"98 {marker}").locator("[data-column='payload.n']")).to_have_text("98")
    expect(feed.page.locator(".column-heads")).to_contain_text("n")
    assert feed.page.evaluate(HEADS_FIT)
    # What is looked for is marked there, too.
    feed.page.get_by_label("Query").fill(f"{marker} payload.n:97")
    expect(cells(feed, "payload.n").locator("mark")).to_have_text(["97"])


def test_columns_are_added_by_keys_alone_with_paths_that_the_page_has_seen_eight_at_most(feed: ConsolePage) -> None:
    feed.page.get_by_role("button", name="Rows", exact=True).focus()
    feed.page.keyboard.press("Enter")
    dialog = feed.page.get_by_role("dialog", name="How rows look")
    expect(dialog).to_be_visible()
    assert dialog.locator("#payload-paths option").evaluate_all("(all) => all.map(({ value }) => value)") == [
        "payload.n"
    ]
    field = dialog.get_by_label("A field of the payload")
    field.focus()
    for path in ("payload.n", "a", "b", "c", "d", "e"):
        feed.page.keyboard.type(path)
        feed.page.keyboard.press("Enter")
        expect(field).to_have_value("")
        expect(field).to_be_focused()
    expect(dialog.get_by_text("Eight columns at most")).to_be_visible()
    expect(dialog.get_by_label("Correlation")).to_be_disabled()
    feed.page.keyboard.type("f")
    feed.page.keyboard.press("Enter")
    expect(field).to_have_value("f")
    expect(feed.page).to_have_url(re.compile("payload.n,payload.a,payload.b,payload.c,payload.d,payload.e$"))
    box = dialog.get_by_label("Type")
    box.focus()
    feed.page.keyboard.press("Space")
    expect(box).to_be_focused()
    expect(dialog.get_by_text("Eight columns at most")).to_be_hidden()
    feed.page.keyboard.press("Escape")
    expect(feed.page.get_by_role("button", name="Rows", exact=True)).to_be_focused()


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["1280px", "375px"])
def test_rows_with_columns_and_their_dialog_break_no_rule(
    new_page: Callable[..., Page],
    stack: Stack,
    viewer: Account,
    service: Client,
    new_event: NewEvent,
    marker: str,
    viewport: ViewportSize | None,
) -> None:
    service.published(
        [new_event(summary=f"{number} {marker}", occurred_at="2026-01-04T01:34:28Z") for number in range(9)]
    )
    console = ConsolePage(new_page(**({"viewport": viewport} if viewport else {})), stack.a.url)
    console.open(viewer, q=marker, columns="module,correlation,occurred,payload.n")
    expect(console.row(f"8 {marker}")).to_be_visible()
    assert broken_rules(console.page) == []
    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if viewport:
        console.page.get_by_text("Filter and tools").click()
    dialog = looks(console)
    expect(dialog).to_be_in_viewport(ratio=1)
    assert broken_rules(console.page) == []
    assert console.problems == []


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def test_a_row_shows_when_it_happened_where_that_is_more_than_a_second_from_when_it_was_stored(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(
        [
            new_event(summary=f"as stored {marker}", occurred_at=ago(seconds=0.2)),
            new_event(summary=f"a while ago {marker}", occurred_at=ago(seconds=5)),
            new_event(summary=f"another day {marker}", occurred_at="2026-01-04T01:34:28.123Z"),
        ]
    )
    console.show(q=marker, time="utc")
    times = {
        name: console.row(f"{name} {marker}").locator("time") for name in ("as stored", "a while ago", "another day")
    }
    marked = console.page.locator(".row[data-happened]")
    expect(marked).to_have_count(2)
    expect(times["as stored"]).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))
    expect(times["another day"]).to_have_text(re.compile(r"^04 Jan 01:34:28$|^04/01/2026 01:34$"))
    expect(times["a while ago"]).to_have_attribute("title", re.compile("Stored: "))
    console.row(f"another day {marker}").click()
    detail = console.page.locator("#detail")
    expect(detail.locator("time").nth(1)).to_have_text(re.compile(r"01:34:28\.123"))
    expect(detail.locator("time").first).to_have_text(re.compile(r":\d\d\.\d{3} "))
