"""The admin's first page: live figures and charts, on a phone, in the dark, and when nothing answers."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.accounts import Account
from tests.browser.admin_page import add_staff, enter_admin, watch
from tests.browser.conftest import NewPage
from tests.client import Client
from tests.metrics import metric
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("history")

PHONE = {"width": 360, "height": 740}
CHARTS = ("tickets", "refusals", "streams", "events")


@pytest.fixture(scope="module")
def administrator(shared_stack: Stack) -> Account:
    return add_staff(shared_stack, group="administrator")


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    found = watch(page)
    yield found
    assert found == []


@pytest.fixture
def dashboard(page: Page, stack: Stack, administrator: Account, complaints: list[str]) -> Page:
    enter_admin(page, stack, administrator)
    expect_live(page)
    return page


def expect_live(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("Live, every 5 seconds", timeout=15_000)


def is_shown(figure: Locator, principal: Client) -> bool:
    open_streams = metric(principal, "vx11_streams_active")
    return open_streams >= 1 and figure.inner_text() == str(int(open_streams))


def test_figures_and_charts_follow_what_happens(dashboard: Page, principal: Client, service: Client) -> None:
    streams = dashboard.locator("[data-figure=streams]")
    head = dashboard.locator("[data-figure=log_head]").inner_text()
    with principal.stream(token=principal.ticket()) as stream:
        stream.connected()
        service.published({"event_type": "drift", "summary": "seen on the dashboard"})
        # Streams of tests before may end meanwhile.
        wait_until(lambda: is_shown(streams, principal), "the figure is that of the server", timeout_seconds=20)
        expect(dashboard.locator("[data-figure=log_head]")).not_to_have_text(head)
        expect(dashboard.locator("[data-slot=nodes] tr").first).to_contain_text("serving")


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_says_in_words_and_as_a_table_what_it_shows(dashboard: Page, name: str) -> None:
    figure = dashboard.locator(f"[data-chart={name}]")
    caption = figure.locator("figcaption").inner_text()
    label = figure.get_by_role("img").get_attribute("aria-label")
    assert label is not None
    assert label.startswith(caption)
    figure.locator("summary").focus()
    dashboard.keyboard.press("Enter")
    rows = figure.locator("tbody tr")
    expect(rows).to_have_count(60)
    if name == "tickets":
        assert re.search(r"issued: [\d,]+ in all, most at \d\d:\d\d", label)
        expect(rows.nth(5).locator("td").first).to_have_text(re.compile(r"^\d+$"))


def test_figures_that_cannot_be_had_are_said_and_asked_for_again(dashboard: Page, complaints: list[str]) -> None:
    def away(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", body="{}")

    dashboard.route("**/admin/figures", away)
    status = dashboard.get_by_role("status")
    expect(status).to_have_text("The figures cannot be read now (503). Trying again.", timeout=15_000)
    dashboard.unroute("**/admin/figures")
    dashboard.route("**/admin/figures", lambda route: route.abort())
    expect(status).to_have_text("The server does not answer. Trying again.", timeout=15_000)
    dashboard.unroute("**/admin/figures")
    expect_live(dashboard)
    # The browser itself notes each answer that is an error.
    assert all("Failed to load resource" in text for text in complaints)
    complaints.clear()


def test_who_is_signed_out_meanwhile_is_told_so(dashboard: Page) -> None:
    dashboard.context.clear_cookies()
    expect(dashboard.get_by_role("status")).to_contain_text("You are signed out", timeout=15_000)


@pytest.mark.parametrize("path", ["", "gateway/tokenaudit/", "events/streamsession/", "principals/p-1"])
def test_pages_fit_on_a_phone(new_page: NewPage, stack: Stack, administrator: Account, path: str) -> None:
    page = new_page(viewport=PHONE, is_mobile=True, has_touch=True)
    enter_admin(page, stack, administrator)
    page.goto(f"{stack.a.url}/admin/{path}")
    if not path:
        expect_live(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_series_stand_out_from_their_ground(
    new_page: NewPage, stack: Stack, administrator: Account, scheme: str
) -> None:
    page = new_page(color_scheme=scheme)
    enter_admin(page, stack, administrator)
    expect_live(page)
    for selector, minimum in (("figcaption", 4.5), (".figures dd", 4.5), ("#dashboard .label", 4.5), ("rect.bar", 3)):
        contrast = page.locator(selector).first.evaluate(CONTRAST)
        assert contrast >= minimum, f"{selector} in {scheme}: {contrast:.1f}"


# Of an element's text or filling against the first opaque ground behind it, as WCAG counts it.
CONTRAST = """(element) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(element);
  const front = parse(element instanceof SVGElement ? style.fill : style.color);
  let ground = element;
  let back = [255, 255, 255];
  while ((ground = ground.parentElement)) {
    const colour = parse(getComputedStyle(ground).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) { back = colour; break; }
  }
  const [low, high] = [light(front), light(back)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}"""
