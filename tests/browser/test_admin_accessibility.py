"""Our pages of the admin break no rule of WCAG 2.2 A and AA that a machine can judge. Django's frame is Django's."""

from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.accounts import Account
from tests.browser.accessibility import broken_rules
from tests.browser.admin_page import add_staff, enter_admin
from tests.browser.conftest import NewPage
from tests.browser.test_admin import issue
from tests.client import Client
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("history")

OURS = "#content"
PHONE = ViewportSize(width=375, height=667)
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {},
    "375px": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}
STREAM_OF = """
from events.models import StreamSession
print(StreamSession.objects.filter(principal_id={public_id!r}).values_list("ticket_id", flat=True).first() or "")
"""


@pytest.fixture(scope="module")
def administrator(shared_stack: Stack) -> Account:
    return add_staff(shared_stack, group="administrator")


@pytest.fixture(params=LOOKS)
def admin(request: pytest.FixtureRequest, new_page: NewPage, stack: Stack, administrator: Account) -> Page:
    page = new_page(**LOOKS[request.param])
    enter_admin(page, stack, administrator)
    return page


def test_the_dashboard_with_its_charts_as_pictures_and_as_tables(admin: Page) -> None:
    expect(admin.get_by_role("status")).to_have_text("Live, every 5 seconds", timeout=15_000)
    assert broken_rules(admin, within=OURS) == []
    for summary in admin.locator("#dashboard summary").all():
        summary.click()
    assert broken_rules(admin, within=OURS) == []


def test_what_a_principal_did_lately_and_the_life_of_its_ticket(admin: Page, stack: Stack) -> None:
    text, public_id = stack.issue_token("principal", scopes=("events:read", "tickets:issue"))
    client: Client = stack.client(text)
    with client.stream(token=client.ticket()) as stream:
        stream.connected()
    script = STREAM_OF.format(public_id=public_id)
    ticket_id = wait_until(lambda: stack.a.python(script).strip(), "the stream is on record")
    admin.goto(f"{stack.a.url}/admin/principals/{public_id}")
    expect(admin.get_by_text("Last streams")).to_be_visible()
    assert broken_rules(admin, within=OURS) == []
    admin.goto(f"{stack.a.url}/admin/tickets/{ticket_id}")
    expect(admin.locator(".life h2").first).to_have_text("Ticket issued")
    assert broken_rules(admin, within=OURS) == []


def test_a_token_that_was_issued_and_the_page_where_it_is_revoked(admin: Page, stack: Stack) -> None:
    stack.credentials.add(issue(admin, stack, "for a look"))
    assert broken_rules(admin, within=OURS) == []
    admin.goto(f"{stack.a.url}/admin/gateway/accesstoken/?q=for+a+look")
    admin.locator("#result_list tbody th a").first.click()
    expect(admin.locator(".lately")).to_be_visible()
    for ours in (".lately", ".object-tools"):
        assert broken_rules(admin, within=ours) == []


def test_an_open_stream_and_the_question_before_it_is_disconnected(
    admin: Page, stack: Stack, principal: Client
) -> None:
    with principal.stream(token=principal.ticket()) as stream:
        address = f"{stack.a.url}/admin/events/streamsession/{stream.connected().data['stream_id']}/change/"

        def button_is_there() -> bool:
            admin.goto(address)
            return admin.get_by_role("button", name="Disconnect").count() > 0

        wait_until(button_is_there, "the open stream is on record")
        assert broken_rules(admin, within=OURS) == []
        admin.get_by_role("button", name="Disconnect").click()
        expect(admin.get_by_text("A client comes back by itself")).to_be_visible()
        assert broken_rules(admin, within=OURS) == []
