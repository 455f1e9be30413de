"""The admin as an administrator uses it: tokens issued and revoked, rows that can be read and not changed."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console_page import Account, add_account, change_account
from tests.client import Client
from tests.stacks import Stack
from tests.waiting import wait_until

WATCH_POLICY = "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.blockedURI));"
PAGES = ("gateway/accesstoken", "gateway/tokenaudit", "events/streamsession", "events/event", "operator_api/window")


@pytest.fixture(scope="module")
def administrator(shared_stack: Stack) -> Account:
    account = add_account(shared_stack, group=None)
    change_account(shared_stack, account, "user.is_staff = user.is_superuser = True; user.save()")
    return account


@pytest.fixture
def admin(page: Page, stack: Stack, administrator: Account) -> Page:
    """The admin's first page, signed in; the test fails if the browser complained about anything."""
    page.add_init_script(WATCH_POLICY)
    sign_in(page, stack, administrator)
    return page


def sign_in(page: Page, stack: Stack, account: Account) -> None:
    page.goto(f"{stack.a.url}/admin/")
    page.get_by_label("Username").fill(account.name)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Log in").click()


def issue(admin: Page, stack: Stack, name: str) -> str:
    """Issues a principal token by the form; gives its text."""
    admin.goto(f"{stack.a.url}/admin/gateway/accesstoken/add/")
    admin.get_by_label("Kind").select_option("principal")
    admin.get_by_label("Name").fill(name)
    admin.get_by_label("events:read").check()
    admin.get_by_label("tickets:issue").check()
    admin.get_by_role("button", name="Save", exact=True).click()
    return admin.get_by_label("Token", exact=True).input_value()


def test_an_issued_token_is_shown_once_and_works(admin: Page, stack: Stack) -> None:
    text = issue(admin, stack, "from the admin")
    assert re.fullmatch(r"vx11p_[A-Za-z0-9_-]{43}", text)
    assert stack.client(text, server=stack.b).issue_ticket().status_code == 200
    for address in ("", "gateway/accesstoken/", "gateway/tokenaudit/"):
        admin.goto(f"{stack.a.url}/admin/{address}")
        assert text not in admin.content()


def test_a_revoked_token_is_refused_by_every_server(admin: Page, stack: Stack) -> None:
    text = issue(admin, stack, "to be revoked")
    client = stack.client(text, server=stack.b)
    assert client.poll().status_code == 200
    admin.goto(f"{stack.a.url}/admin/gateway/accesstoken/?q=to+be+revoked")
    admin.locator("#action-toggle").check()
    admin.locator("select[name=action]").select_option("revoke")
    admin.get_by_role("button", name=re.compile("Run|Go")).click()
    expect(admin.get_by_text(re.compile("tokens are revoked"))).to_be_visible()
    wait_until(lambda: client.poll().status_code == 401, "the token is refused", timeout_seconds=5)
    admin.goto(f"{stack.a.url}/admin/gateway/tokenaudit/?action__exact=token_revoked")
    expect(admin.get_by_text("to be revoked").first).to_be_visible()


@pytest.mark.parametrize("address", PAGES)
def test_a_list_opens_without_a_complaint_of_the_browser(admin: Page, stack: Stack, address: str) -> None:
    complaints: list[str] = []
    admin.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    admin.on("pageerror", lambda error: complaints.append(str(error)))
    admin.goto(f"{stack.a.url}/admin/{address}/")
    expect(admin.locator("#changelist")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("address", PAGES[1:])
def test_what_the_program_writes_cannot_be_changed_or_deleted(admin: Page, stack: Stack, address: str) -> None:
    admin.goto(f"{stack.a.url}/admin/{address}/")
    assert admin.locator("#content .addlink").count() == 0
    assert admin.locator("option[value=delete_selected]").count() == 0
    added = admin.goto(f"{stack.a.url}/admin/{address}/add/")
    assert added is not None
    assert added.status == 403


def test_an_event_is_shown_as_text(admin: Page, stack: Stack, service: Client, marker: str) -> None:
    summary = f"<img src=x onerror=alert(1)> {marker}"
    payload = {"query": "'; drop table events --", "note": "{{7*7}}"}
    assert service.publish({"event_type": "drift", "summary": summary, "payload": payload}).status_code == 201
    admin.goto(f"{stack.a.url}/admin/events/event/?q={marker}")
    admin.get_by_role("link", name=re.compile(r"^\d")).first.click()
    expect(admin.get_by_text(summary)).to_be_visible()
    expect(admin.get_by_text("drop table events --")).to_be_visible()


def test_a_stream_is_on_record_from_its_ticket_to_its_end(admin: Page, stack: Stack, principal: Client) -> None:
    ticket = principal.ticket()
    with principal.stream(token=ticket) as stream:
        stream_id = stream.next(lambda frame: frame.data.get("type") == "connected", "connected").data["stream_id"]
    address = f"{stack.a.url}/admin/events/streamsession/?q={stream_id}"

    def ended() -> bool:
        admin.goto(address)
        return admin.get_by_text("client_closed").count() > 0

    wait_until(ended, "the stream's end is on record")
    admin.goto(f"{stack.a.url}/admin/gateway/tokenaudit/?q={stream_id}")
    expect(admin.locator(".field-action").first).to_have_text(re.compile("redeemed", re.IGNORECASE))


def test_a_user_who_is_not_staff_sees_nothing(page: Page, stack: Stack) -> None:
    sign_in(page, stack, add_account(stack, group="operator"))
    expect(page.get_by_text("Please enter the correct username and password for a staff account")).to_be_visible()
