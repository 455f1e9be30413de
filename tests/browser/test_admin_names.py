"""Names as long as they may be, without a place to break: pages stay as wide as their window, and tools in reach."""

import dataclasses
import secrets

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.admin_page import add_staff, enter_admin
from tests.browser.conftest import NewPage
from tests.stacks import Stack
from tests.waiting import wait_until

PHONE, DESKTOP = ViewportSize(width=375, height=667), ViewportSize(width=1280, height=800)
NAME_LENGTH = 100
# Whether the boxes of two elements lie over each other.
OVERLAP = """([one, other]) => {
  const [a, b] = [one, other].map((element) => element.getBoundingClientRect());
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}"""


@dataclasses.dataclass(frozen=True)
class LongName:
    public_id: str
    # Paths under /admin/.
    token: str
    ticket: str


@pytest.fixture(scope="module")
def long_name(shared_stack: Stack) -> LongName:
    """A token with a long name, which has read a stream by a ticket."""
    name = secrets.token_hex(NAME_LENGTH // 2)
    text, public_id = shared_stack.issue_token("principal", name=name, scopes=("events:read", "tickets:issue"))
    client = shared_stack.client(text)
    with client.stream(token=client.ticket()) as stream:
        stream.connected()

    def told(model: str, field: str, query: str) -> str:
        lines = [
            "from gateway.models import AccessToken",
            "from events.models import StreamSession",
            f"print({model}.objects.filter({query}={public_id!r}).values_list({field!r}, flat=True).first() or '')",
        ]
        return shared_stack.a.python("\n".join(lines)).strip()

    ticket_id = wait_until(lambda: told("StreamSession", "ticket_id", "principal_id"), "the stream is on record")
    pk = told("AccessToken", "pk", "public_id")
    return LongName(public_id, f"gateway/accesstoken/{pk}/change/", f"tickets/{ticket_id}")


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["375px", "1280px"])
def test_long_names_neither_widen_a_page_nor_hide_its_tools(
    new_page: NewPage, stack: Stack, long_name: LongName, viewport: ViewportSize
) -> None:
    phone = {"is_mobile": True, "has_touch": True} if viewport is PHONE else {}
    page = new_page(viewport=viewport, **phone)
    enter_admin(page, stack, add_staff(stack, group="administrator"))
    lists = [f"{path}/?q={long_name.public_id}" for path in ("events/streamsession", "gateway/tokenaudit")]
    for path in (long_name.token, long_name.ticket, f"principals/{long_name.public_id}", *lists):
        page.goto(f"{stack.a.url}/admin/{path}")
        assert long_name.public_id in page.content()
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
        if viewport is DESKTOP:
            assert cut_off(page) == [], path
        if path == long_name.token:
            button = page.get_by_role("button", name="Revoke now")
            expect(button).to_be_visible()
            for heading in page.locator("#content h1, #content h2").all():
                pair = [heading.element_handle(), button.element_handle()]
                assert not page.evaluate(OVERLAP, pair)


def cut_off(page: Page) -> list[str]:
    """Tables that are wider than their place."""
    tables = page.locator(".results").all()
    return [table.inner_text() for table in tables if table.evaluate("(e) => e.scrollWidth > e.clientWidth")]
