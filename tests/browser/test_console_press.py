"""A press does what its button showed: also when a text was just typed, and when the page changes under the press."""

from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.console_page import ConsolePage
from tests.client import Client
from tests.stack.operators import open_window

NewEvent = Callable[..., Mapping[str, object]]


@pytest.fixture
def asked(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """Four events of two modules; of severities, `error` is included."""
    kinds = [("switch", "info"), ("switch", "error"), ("hermes", "error"), ("hermes", "warn")]
    service.published([new_event(module=module, severity=severity) for module, severity in kinds])
    console.show(q=f"correlation:{marker} severity:error")
    expect(include(console, "severity", "warn")).to_be_visible()
    return console


# Typing and the press in one turn of the browser, so that no timer comes between them.
TYPE_AND_PRESS = """(button, text) => {
    const field = document.querySelector("#query");
    const mouse = { bubbles: true, button: 0 };
    field.focus();
    field.value = text;
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    button.dispatchEvent(new PointerEvent("pointerdown", mouse));
    button.dispatchEvent(new MouseEvent("mousedown", mouse));
    field.blur();
    button.dispatchEvent(new MouseEvent("mouseup", mouse));
    button.click();
}"""


def include(console: ConsolePage, field: str, name: str) -> Locator:
    return console.page.locator(f"[data-facet='{field}'] li").filter(has_text=name).locator(".include")


def press_down(console: ConsolePage, button: Locator) -> None:
    """Holds the button of the mouse down on it; `page.mouse.up()` lets go."""
    box = button.bounding_box()
    assert box is not None
    console.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    console.page.mouse.down()


def test_a_press_on_a_value_counts_although_the_list_changes_when_the_field_loses_the_focus(
    asked: ConsolePage, marker: str
) -> None:
    line = asked.page.get_by_label("Query")
    line.fill(f"correlation:{marker} OR nothing")
    press_down(asked, include(asked, "severity", "warn"))
    asked.page.mouse.up()
    expect(line).to_have_value(f"(correlation:{marker} OR nothing) severity:warn")
    expect(asked.rows).to_have_count(1)


def test_new_counts_do_not_take_away_the_value_that_is_pressed(asked: ConsolePage, marker: str) -> None:
    line = asked.page.get_by_label("Query")
    press_down(asked, include(asked, "severity", "warn"))
    with asked.page.expect_response("**/events/facets*"):
        # As a program does that writes what is spoken.
        line.evaluate(
            "(field, text) => { field.value = text; field.form.requestSubmit(); }",
            f"correlation:{marker} -severity:error",
        )
    # Rows do not wait for the press: when they are there, so are the counts, which came with them.
    expect(asked.rows).to_have_count(2)
    asked.page.mouse.up()
    expect(line).to_have_value(f"correlation:{marker} -severity:error severity:warn")


def test_a_press_is_not_turned_round_by_a_text_that_says_it_already(asked: ConsolePage, marker: str) -> None:
    line = asked.page.get_by_label("Query")
    text = f"correlation:{marker} severity:warn"
    include(asked, "severity", "warn").evaluate(TYPE_AND_PRESS, text)
    expect(include(asked, "severity", "warn")).to_have_attribute("aria-pressed", "true")
    expect(line).to_have_value(f"correlation:{marker} severity:warn")
    # Now the button shows it, and a press takes it back.
    include(asked, "severity", "warn").click()
    expect(line).to_have_value(f"correlation:{marker}")


def test_a_press_without_a_mouse_keeps_what_was_typed_just_before(asked: ConsolePage, marker: str) -> None:
    """Screen readers press a button while the field keeps the focus."""
    line = asked.page.get_by_label("Query")
    line.fill(f"correlation:{marker} summary")
    include(asked, "module", "hermes").evaluate("(button) => button.click()")
    expect(line).to_have_value(f"correlation:{marker} summary module:hermes")


def test_a_module_counts_as_pressed_although_the_modules_change_meanwhile(
    asked: ConsolePage, principal: Client, marker: str, no_window: None
) -> None:
    tile = asked.page.locator("[data-module=madre]")
    press_down(asked, tile)
    with asked.page.expect_response("**/modules"):
        # The list has one more module then.
        open_window(principal, services=["manifestator"])
    expect(asked.page.locator(".window")).to_contain_text("open until")
    asked.page.mouse.up()
    expect(asked.page.get_by_label("Query")).to_have_value(f"correlation:{marker} severity:error module:madre")
    expect(asked.page.locator("[data-module=manifestator]")).to_be_visible()
