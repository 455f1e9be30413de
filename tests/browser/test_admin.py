"""The admin as an administrator uses it: tokens issued and revoked, rows that can be read and not changed."""

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from tests.accounts import Account, add_account
from tests.browser.admin_page import enter_admin, sign_in, watch
from tests.browser.conftest import NewPage
from tests.client import Client
from tests.stacks import Stack
from tests.waiting import wait_until

PAGES = ("gateway/accesstoken", "gateway/tokenaudit", "events/streamsession", "events/event", "operator_api/window")


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    found = watch(page)
    yield found
    assert found == []


@pytest.fixture
def admin(page: Page, stack: Stack, administrator: Account, complaints: list[str]) -> Page:
    """The admin's first page, signed in; the test fails if the browser complained about anything."""
    enter_admin(page, stack, administrator)
    return page


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
    expect(admin.get_by_text(re.compile("1 token is revoked"))).to_be_visible()
    wait_until(lambda: client.poll().status_code == 401, "the token is refused", timeout_seconds=5)
    admin.goto(f"{stack.a.url}/admin/gateway/tokenaudit/?action__exact=token_revoked")
    expect(admin.get_by_text("to be revoked").first).to_be_visible()


@pytest.mark.parametrize("address", [*PAGES, "events/node", "auth/user", "auth/group"])
def test_a_list_opens_without_a_complaint_of_the_browser(admin: Page, stack: Stack, address: str) -> None:
    admin.goto(f"{stack.a.url}/admin/{address}/")
    expect(admin.locator("#changelist")).to_be_visible()


@pytest.mark.parametrize("address", PAGES[1:])
def test_w09_what_the_program_writes_cannot_be_changed_or_deleted(
    admin: Page, stack: Stack, complaints: list[str], address: str
) -> None:
    admin.goto(f"{stack.a.url}/admin/{address}/")
    assert admin.locator("#content .addlink").count() == 0
    assert admin.locator("option[value=delete_selected]").count() == 0
    added = admin.goto(f"{stack.a.url}/admin/{address}/add/")
    assert added is not None
    assert added.status == 403
    # The browser itself notes an answer that is an error.
    assert all("403" in text for text in complaints)
    complaints.clear()


def test_p12_an_event_is_shown_as_text(admin: Page, stack: Stack, service: Client, marker: str) -> None:
    summary = f"<img src=x onerror=alert(1)> {marker}"
    payload = {"query": "'; drop table events --", "note": "{{7*7}}"}
    assert service.publish({"event_type": "drift", "summary": summary, "payload": payload}).status_code == 201
    admin.goto(f"{stack.a.url}/admin/events/event/?q={marker}")
    admin.get_by_role("link", name=re.compile(r"^\d")).first.click()
    expect(admin.get_by_text(summary)).to_be_visible()
    expect(admin.get_by_text("drop table events --")).to_be_visible()


def test_a_stream_is_followed_from_the_list_to_its_tickets_life_and_disconnected(
    admin: Page, stack: Stack, principal: Client
) -> None:
    with principal.stream(token=principal.ticket()) as stream:
        stream_id = stream.connected().data["stream_id"]
        address = f"{stack.a.url}/admin/events/streamsession/{stream_id}/change/"

        def button_is_there() -> bool:
            admin.goto(address)
            return admin.get_by_role("button", name="Disconnect").count() > 0

        wait_until(button_is_there, "the open stream is on record")
        admin.get_by_role("button", name="Disconnect").click()
        expect(admin.get_by_text("A client comes back by itself")).to_be_visible()
        admin.get_by_role("button", name="Disconnect").click()
        expect(admin.get_by_text("1 stream ends within two seconds.")).to_be_visible()
        assert stream.named("stream-end").data["reason"] == "disconnected_by_admin"

    def ended() -> bool:
        admin.goto(address)
        return admin.get_by_text("disconnected_by_admin").count() > 0

    wait_until(ended, "the stream's end is on record")
    admin.locator(".field-ticket a").click()
    moments = admin.locator(".life h2")
    expect(moments.first).to_have_text("Ticket issued")
    expect(admin.locator(".life")).to_contain_text("Disconnected by an administrator")
    expect(admin.locator(".life")).to_contain_text("Stream ended")


def test_w09_going_back_or_reloading_does_not_show_the_token_again(
    admin: Page, stack: Stack, complaints: list[str]
) -> None:
    text = issue(admin, stack, "not to be seen again")
    admin.goto(f"{stack.a.url}/admin/gateway/accesstoken/")
    # Chromium says ERR_CACHE_MISS: nobody has kept the page. Another browser might show it, empty.
    with contextlib.suppress(PlaywrightError):
        admin.go_back()
    admin.wait_for_load_state()
    expect(admin.locator("html")).not_to_contain_text(text)
    expect(admin.locator(f"[value='{text}']")).to_have_count(0)
    admin.goto(f"{stack.a.url}/admin/gateway/accesstoken/add/")
    admin.reload()
    assert text not in admin.content()
    complaints[:] = [each for each in complaints if "ERR_CACHE_MISS" not in each]


def test_a_list_is_exported_as_a_file(admin: Page, new_page: NewPage, stack: Stack, administrator: Account) -> None:
    sign_in(new_page(), stack, administrator)
    admin.goto(f"{stack.a.url}/admin/gateway/tokenaudit/?when=1h&action__exact=signed_in")
    with admin.expect_download() as download:
        admin.get_by_role("button", name="Export CSV").click()
    content = download.value.path().read_text(encoding="utf-8-sig")
    assert content.startswith('"at","action"')
    assert '"signed_in"' in content
    assert '"refused"' not in content


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/operator/login"])
def test_w08_no_page_lets_itself_be_framed(new_page: NewPage, stack: Stack, administrator: Account, path: str) -> None:
    page = new_page()
    enter_admin(page, stack, administrator)
    # On the same site, where a frame would even get the cookies.
    page.route(f"{stack.a.url}/framing", lambda route: route.fulfill(content_type="text/html", body=FRAMING))
    page.route(f"{stack.a.url}/harmless", lambda route: route.fulfill(content_type="text/html", body="seen"))
    assert framed_text(page, stack.a.url, "/harmless") == "seen"
    assert framed_text(page, stack.a.url, path) == ""


def framed_text(page: Page, url: str, path: str) -> str:
    """What a page shows in a frame of another; "" if the browser does not let it."""
    page.goto(f"{url}/framing")
    page.evaluate("(path) => { document.querySelector('iframe').src = path; }", path)
    page.wait_for_function("window.framed === true")
    frame = page.frames[-1]
    return "" if frame.url.startswith("chrome-error:") else str(frame.evaluate("document.body.innerText"))


FRAMING = """<!DOCTYPE html><title>somebody else's page</title>
<iframe title="framed" onload="if (this.getAttribute('src')) window.framed = true"></iframe>"""


def test_w09_a_user_who_is_not_staff_sees_nothing(page: Page, stack: Stack) -> None:
    sign_in(page, stack, add_account(stack, group="operator"))
    expect(page.get_by_text("Please enter the correct username and password for a staff account")).to_be_visible()
