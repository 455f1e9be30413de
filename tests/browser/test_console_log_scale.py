"""A logarithmic histogram shows one error beside thousands of other events."""

import re
from collections.abc import Callable, Mapping

from playwright.sync_api import expect

from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
SCALES = """
    async (cases) => {
        const { scaleFor } = await import("/static/operator_api/histogram-drawing.js");
        return cases.map(([highest, isLog, count]) => {
            const { top, middle, share } = scaleFor(highest, isLog);
            return [top, middle, share(count), share(top), share(0), share(middle)];
        });
    }
"""


def test_the_scale_begins_at_nothing_ends_at_the_top_and_its_middle_is_in_the_middle(console: ConsolePage) -> None:
    linear, zero, small, large = console.page.evaluate(
        SCALES, [[4_000, False, 1], [0, True, 0], [7, True, 1], [4_000, True, 1]]
    )
    assert linear == [5_000, 2_500, 1 / 5_000, 1, 0, 0.5]
    assert zero[0] == small[0] == 10
    top, middle, one, full, nothing, half = large
    assert (top, middle, full, nothing) == (10_000, 99, 1, 0)
    assert one > 0.07
    assert abs(half - 0.5) < 0.01


def test_the_log_scale_is_chosen_drawn_and_kept(console: ConsolePage, service: Client, new_event: NewEvent) -> None:
    service.published([new_event(summary=str(at)) for at in range(300)])
    console.show()
    figure = console.page.locator("[data-picture=rate]")
    drawn = figure.locator("path.info")
    middle = figure.locator("[data-slot=rate-middle]")
    expect(drawn).to_have_attribute("d", re.compile("M"))
    box = console.page.get_by_label("Log scale")
    expect(box).not_to_be_checked()
    before = middle.text_content() or ""
    box.focus()
    console.page.keyboard.press("Space")
    expect(middle).to_have_text(re.compile(r"^(3|9|31|99)$"))
    assert middle.text_content() != before
    assert broken_rules(console.page, within=".pictures") == []
    console.page.reload()
    expect(box).to_be_checked()
    expect(middle).to_have_text(re.compile(r"^(3|9|31|99)$"))
    console.page.get_by_label("Log scale").uncheck()
    expect(middle).not_to_have_text(re.compile(r"^(3|9|31|99)$"))
