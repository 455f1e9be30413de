"""Pages for those who write clients: the API's document and the meaning of refusals, under the strict policy."""

import pytest
from playwright.sync_api import Page, expect

from tests.stacks import Stack

WATCH_POLICY = "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.blockedURI));"


@pytest.fixture
def complaints(page: Page) -> list[str]:
    found: list[str] = []
    page.add_init_script(WATCH_POLICY)
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def test_the_document_of_the_api_is_shown(page: Page, stack: Stack, complaints: list[str]) -> None:
    page.goto(f"{stack.a.url}/operator/api/docs/")
    for path in ("/operator/api/events/stream", "/operator/api/events/sse-token", "/operator/api/window/status"):
        expect(page.locator(f'[data-path="{path}"]').first).to_be_visible()
    assert complaints == []


def test_the_type_of_a_refusal_leads_to_its_meaning(page: Page, stack: Stack, complaints: list[str]) -> None:
    refusal = stack.client(None).get("/operator/api/events").json()
    page.goto(stack.a.url + refusal["type"])
    expect(page.locator("tr:target")).to_contain_text(refusal["title"])
    assert complaints == []
