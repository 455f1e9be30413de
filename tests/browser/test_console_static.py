"""The console's files: kept by the browser, and not asked for again when the page is loaded anew."""

import re

from playwright.sync_api import Response

from tests.browser.console_page import ConsolePage


def test_a_reload_asks_for_no_file_again(console: ConsolePage) -> None:
    page = console.page
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.reload()
    console.expect_state("Live")
    files = [answer.url for answer in answers if "/static/" in answer.url]
    assert len(files) > 50
    assert [url for url in files if not re.search(r"/static/v-[0-9a-f]{12}/", url)] == []
    # What was taken from the browser's own cache took no time of the server.
    asked = page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter(({ name, transferSize }) => name.includes('/static/') && transferSize > 0).map(({ name }) => name)"
    )
    assert asked == []
    assert console.problems == []
