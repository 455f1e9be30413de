"""The histogram by when events happened: for lines that were imported, whose time of storing says nothing."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
STATS = re.compile(r"/events/stats")


class Chart:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.figure = page.locator("[data-picture=rate]")
        self.box = page.get_by_label("By when it happened")
        self.offer = page.get_by_role("button", name="Most of these happened at another time")
        self.whole = page.get_by_role("button", name="Whole range")

    def slot(self, name: str) -> Locator:
        return self.figure.locator(f"[data-slot={name}]")

    @property
    def parameters(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)


@pytest.fixture
def chart(console: ConsolePage) -> Chart:
    return Chart(console.page)


@pytest.fixture
def imported(service: Client, new_event: NewEvent, marker: str) -> str:
    """A query for eight lines of an hour of another year."""
    moments = [f"2019-05-01T10:{minute:02}:00Z" for minute in (0, 1, 1, 2, 30, 59, 59, 59)]
    service.published([new_event(severity="error", occurred_at=moment) for moment in moments])
    return f"correlation:{marker}"


def test_rows_of_another_time_lead_to_a_histogram_of_that_time(
    console: ConsolePage, chart: Chart, imported: str
) -> None:
    console.show(q=imported)
    # By when they were stored they are one column of now.
    expect(chart.slot("rate-now")).to_have_text("8 events")
    expect(chart.slot("rate-unit")).to_have_text(re.compile("in this time"))
    expect(chart.box).not_to_be_checked()
    chart.offer.click()
    expect(chart.offer).to_be_hidden()
    expect(chart.box).to_be_checked()
    expect(chart.box).to_be_focused()
    expect(chart.slot("rate-unit")).to_have_text(re.compile(r"01/05/2019 10:00 – 01/05/2019 10:59"))
    expect(chart.slot("rate-now")).to_have_text("8 events")
    drawn = chart.figure.locator("path.error").get_attribute("d") or ""
    assert drawn.count("M") == 5
    expect(chart.slot("rate-words")).to_have_text(
        re.compile(r"from 01/05/2019 10:00.*error 8, critical 0\. Most .*: 3\.")
    )
    assert chart.parameters["chart"] == ["happened"]
    assert broken_rules(console.page, within=".pictures") == []
    # The link shows the same, and the choice is taken back as it was made.
    console.page.reload()
    expect(chart.slot("rate-unit")).to_have_text(re.compile("01/05/2019"))
    chart.box.uncheck()
    expect(chart.slot("rate-unit")).to_have_text(re.compile("in this time"))
    assert "chart" not in chart.parameters
    assert console.problems == []


def test_rows_that_were_stored_when_they_happened_offer_nothing(
    console: ConsolePage, chart: Chart, service: Client, new_event: NewEvent, imported: str, marker: str
) -> None:
    service.published([new_event(summary=f"{marker} {number}") for number in range(20)])
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    console.show(q=imported)
    expect(console.row(f"{marker} 19")).to_be_visible()
    # A tick of the picture later.
    expect(chart.slot("rate-now")).to_have_text("28 events")
    console.page.wait_for_timeout(1_200)
    expect(chart.offer).to_be_hidden()
    counted = [url for url in asked if STATS.search(url)]
    assert counted
    assert not any("by=" in url for url in counted)


def test_a_part_of_that_time_is_chosen_with_keys_and_given_up_again(
    console: ConsolePage, chart: Chart, imported: str
) -> None:
    console.show(q=imported, chart="happened")
    expect(chart.slot("rate-now")).to_have_text("8 events")
    plot = chart.figure.get_by_role("slider")
    plot.focus()
    for key in ("Home", "Shift+PageDown", "Enter"):
        console.page.keyboard.press(key)
    expect(chart.slot("rate-now")).to_have_text("4 events")
    assert chart.parameters["chart-from"] == ["2019-05-01T10:00:00.000Z"]
    assert chart.parameters["chart-to"] > ["2019-05-01T10:02:00.000Z"]
    # The rows are by when they were stored, and stay.
    assert "from" not in chart.parameters
    expect(console.rows).to_have_count(8)
    chart.whole.press("Enter")
    expect(chart.slot("rate-now")).to_have_text("8 events")
    expect(chart.whole).to_be_hidden()
    console.page.go_back()
    expect(chart.slot("rate-now")).to_have_text("4 events")
    expect(chart.whole).to_be_visible()


def test_what_happens_meanwhile_is_counted_where_it_belongs(
    console: ConsolePage, chart: Chart, service: Client, new_event: NewEvent, imported: str
) -> None:
    console.show(q=imported, chart="happened")
    expect(chart.slot("rate-now")).to_have_text("8 events")
    service.published([new_event(occurred_at=f"2019-05-01T10:{at}:00Z") for at in (15, 59)])
    expect(chart.slot("rate-now")).to_have_text("10 events")
    # Later than all of before: the picture grows.
    service.published(new_event(occurred_at="2019-05-01T11:20:00Z"))
    expect(chart.slot("rate-now")).to_have_text("11 events")
    expect(chart.slot("rate-unit")).to_have_text(re.compile(r"– 01/05/2019 11:20"))


def test_a_count_that_was_ended_early_says_so(console: ConsolePage, chart: Chart, imported: str) -> None:
    def ended(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "complete": False})

    console.page.route(STATS, ended)
    console.show(q=imported, chart="happened")
    expect(chart.slot("uncounted")).to_have_text("Only those that were stored last could be counted.")
    chart.box.uncheck()
    expect(chart.slot("uncounted")).to_have_text(re.compile("could not be counted"))


def test_where_nothing_is_found_nothing_is_counted(console: ConsolePage, chart: Chart, marker: str) -> None:
    console.show(q=f"correlation:{marker}-none", chart="happened")
    expect(chart.slot("rate-now")).to_have_text("0 events")
    assert console.problems == []


@pytest.mark.parametrize("bad", ["yesterday", "2019-05-02T00:00:00Z"])
def test_a_range_in_the_address_that_is_none_is_left_out(
    console: ConsolePage, chart: Chart, imported: str, bad: str
) -> None:
    console.show(q=imported, chart="happened", **{"chart-from": bad, "chart-to": "2019-05-01T00:00:00Z"})
    expect(chart.slot("rate-now")).to_have_text("0 events" if bad == "yesterday" else "8 events")
    assert console.problems == []


TICKS = """
    async ([begin, end]) => {
        const { timeTicks } = await import("/static/operator_api/histogram-drawing.js");
        return timeTicks(Date.parse(begin), Date.parse(end), 7).map(({ words }) => words);
    }
"""


def test_ticks_of_other_years_have_their_year_and_are_few_over_any_time(console: ConsolePage) -> None:
    assert console.page.evaluate(TICKS, ["2019-05-01T00:00Z", "2019-05-08T00:00Z"])[0] == "01/05/2019"
    ticks = console.page.evaluate(TICKS, ["0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"])
    assert 2 <= len(ticks) <= 12
