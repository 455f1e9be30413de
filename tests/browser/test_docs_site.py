"""The site of the documents, opened from a disk: its search works, and no request leaves the machine."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.repository.test_docs_site import build

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]


def test_pages_and_search_work_without_a_server(page: Page, tmp_path: Path) -> None:
    done = build(tmp_path / "site")
    assert done.returncode == 0, done.stderr
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "site/index.html").as_uri())
    expect(page.get_by_role("heading", name="VX11 Operator", level=1)).to_be_visible()
    page.locator("[data-md-component=search-query]").fill("idempotency")
    first = page.locator(".md-search-result__link").first
    expect(first).to_be_visible()
    first.click()
    expect(page.locator("article")).to_contain_text("dempotency")
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
