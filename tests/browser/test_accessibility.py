"""The judge of accessibility sees what is wrong, in light colours and in dark ones."""

import pytest
from playwright.sync_api import Page

from tests.browser.accessibility import broken_rules

PAGE = """<!DOCTYPE html><html lang="en"><title>a page</title><main><h1>A page</h1><p>some words</p></main>
<style>body {{ color: {light}; background: white; }}
@media (prefers-color-scheme: dark) {{ body {{ color: {dark}; background: black; }} }}</style></html>"""


@pytest.mark.parametrize(
    ("light", "dark", "found"),
    [("black", "white", set()), ("#eee", "white", {"color-contrast"}), ("black", "#222", {"dark: color-contrast"})],
)
def test_words_that_do_not_stand_out_are_found_in_each_colour_scheme(
    page: Page, light: str, dark: str, found: set[str]
) -> None:
    page.set_content(PAGE.format(light=light, dark=dark))
    assert {line.partition(" (")[0] for line in broken_rules(page)} == found
    # The page is left as it was met.
    assert page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
