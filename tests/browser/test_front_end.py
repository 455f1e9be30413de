"""A front end that was written for this API before this server was: served by the server, or by nginx before it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.conftest import OwnStack
from tests.metrics import metric
from tests.security.nginx import PrivateNginx
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

FOLDER = ROOT / "tests/browser/front_end"
ADDRESSES = ("events", "status", "modules", "settings", "window/status", "chat/window/status", "windows")
# Browsers note every answer from 400 on; these are what the front end is there to show.
EXPECTED = re.compile(r"status of 4(03|09)")


class FrontEnd:
    """The page with the token that its user once gave it; `problems` is what the browser complained of."""

    def __init__(self, page: Page, url: str, stack: Stack) -> None:
        self.page, self.url, self.stack = page, url, stack
        self.problems: list[str] = []
        self.keep_token(stack.principal_token)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def keep_token(self, token: str) -> None:
        self.page.add_init_script(f"localStorage.setItem('vx11_token', '{token}')")

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.url}/operator/ui/{path}")

    def expect(self, element: str, text: str | re.Pattern[str]) -> None:
        expect(self.page.locator(f"#{element}")).to_have_text(text)

    def expect_view(self, address: str, text: str | re.Pattern[str]) -> None:
        """In each of its addresses: this one and its alias with the version."""
        for name in (address, f"v1/{address}"):
            self.expect(f"view-{name.replace('/', '-')}", text)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not EXPECTED.search(message.text):
            self.problems.append(message.text)


@pytest.fixture(params=["server", "nginx"])
def front_end(request: pytest.FixtureRequest, own_stack: OwnStack, page: Page) -> Iterator[FrontEnd]:
    if request.param == "server":
        stack = own_stack(VX11_UI_DIR=str(FOLDER))
        yield FrontEnd(page, stack.a.url, stack)
    else:
        stack = own_stack(VX11_TRUSTED_PROXIES="127.0.0.1")
        with PrivateNginx(stack.servers, front_end=FOLDER) as nginx:
            yield FrontEnd(page, nginx.url, stack)
    page.close()


def test_it_sees_and_does_all_it_could_do_before(front_end: FrontEnd) -> None:
    stack, page = front_end.stack, front_end.page
    front_end.open("modules/hermes")
    expect(page.locator("#inline")).to_have_css("color", "rgb(1, 2, 3)")
    assert page.evaluate("window.startedInline")
    front_end.expect("stream", "connected")

    stack.client(stack.service_token, server=stack.b).published(
        {"event_type": "drift", "summary": "a file has changed", "module": "hormiguero", "severity": "warning"}
    )
    front_end.expect("events", "warn hormiguero drift a file has changed")
    front_end.expect_view("events", "1 events")
    front_end.expect_view("status", "solo_madre madre,redis,tentaculo_link false")
    front_end.expect_view("modules", re.compile(r"hermes=OFF_BY_POLICY .*madre=UP .*tentaculo_link=UP"))
    front_end.expect_view("settings", "{} true")
    for address in ("window/status", "chat/window/status", "windows"):
        front_end.expect_view(address, "solo_madre held madre,redis,tentaculo_link")

    _say(page, "help")
    front_end.expect("answer", "OFF_BY_POLICY: Ask Madre to open operator window")
    page.get_by_role("button", name="Open window").click()
    for address in ("window/status", "chat/window/status", "windows"):
        front_end.expect_view(address, "window_active timed madre,redis,tentaculo_link,switch,hermes")
    front_end.expect_view("settings", "{} false")
    _say(page, "help")
    front_end.expect("answer", re.compile("I know three words"))
    page.get_by_role("button", name="Close window").click()
    front_end.expect_view("windows", "solo_madre held madre,redis,tentaculo_link")
    expect(page.locator("#events")).to_contain_text("window.opened")
    expect(page.locator("#events")).to_contain_text("window.closed")
    assert front_end.problems == []


def test_it_opens_its_stream_again_after_the_server_was_restarted(front_end: FrontEnd) -> None:
    stack = front_end.stack
    front_end.open()
    front_end.expect("stream", "connected")
    for server in stack.servers:
        server.stop()
    front_end.expect("stream", re.compile("waiting: "))
    for server in stack.servers:
        server.start()
    expect(front_end.page.locator("#stream")).to_have_text("connected", timeout=20_000)
    stack.client(stack.service_token).published({"event_type": "a", "summary": "after the restart"})
    expect(front_end.page.locator("#events")).to_contain_text("after the restart")


def test_it_gets_a_new_ticket_before_the_old_one_is_over(own_stack: OwnStack, page: Page) -> None:
    # It comes back five seconds before the time that the server names.
    stack = own_stack(VX11_UI_DIR=str(FOLDER), VX11_SSE_TOKEN_TTL_SECONDS="6")
    front_end = FrontEnd(page, stack.a.url, stack)
    client = stack.client(stack.principal_token)
    front_end.open()
    wait_until(lambda: metric(client, "vx11_operator_sse_connections_ephemeral_total") >= 3, "three streams in a row")
    front_end.expect("stream", "connected")
    assert metric(client, "vx11_operator_ephemeral_tokens_invalid_total") == 0
    assert front_end.problems == []
    page.close()


def test_it_is_told_that_its_token_is_no_good(own_stack: OwnStack, page: Page) -> None:
    stack = own_stack(VX11_UI_DIR=str(FOLDER))
    front_end = FrontEnd(page, stack.a.url, stack)
    front_end.keep_token("a-token-that-was-revoked-long-ago")
    front_end.open()
    front_end.expect("stream", "waiting: 401 invalid_token")
    front_end.expect_view("status", "refused 401 invalid_token")
    page.close()


def test_beside_it_the_console_goes_on_under_its_own_policy(own_stack: OwnStack, page: Page) -> None:
    stack = own_stack(VX11_UI_DIR=str(FOLDER))
    FrontEnd(page, stack.a.url, stack).open()
    answer = page.goto(f"{stack.a.url}/operator/")
    assert answer is not None
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def _say(page: Page, message: str) -> None:
    page.get_by_label("Message").fill(message)
    page.get_by_role("button", name="Send").click()
