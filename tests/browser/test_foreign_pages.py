"""Other sites' pages get no stream, learn nothing from links, and find nothing in what the browser keeps."""

import json

import pytest
from playwright.sync_api import Page, Response

from tests.accounts import Account
from tests.browser.console_page import ConsolePage
from tests.browser.scripted import ScriptedServer
from tests.client import API, Client
from tests.stacks import Stack
from tests.waiting import wait_until

STREAM = f"{API}/events/stream"
OPEN = """
    (url) => new Promise((resolve) => {
        const source = new EventSource(url, { withCredentials: true });
        source.onopen = () => resolve("open");
        source.onerror = () => resolve(source.readyState === EventSource.CLOSED ? "closed" : "trying again");
    })
"""
FOLLOW_LINK = """
    (url) => {
        const link = document.createElement("a");
        link.href = url;
        document.body.append(link);
        link.click();
    }
"""
KEPT = """
    async () => JSON.stringify({
        local: { ...localStorage },
        session: { ...sessionStorage },
        databases: await indexedDB.databases(),
        caches: await caches.keys(),
        cookies: document.cookie,
        state: history.state,
        name: window.name,
        address: location.href,
    })
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another port", "another site"])
def test_w01_a_page_from_elsewhere_opens_no_stream_and_uses_up_no_ticket(
    page: Page, script: ScriptedServer, stack: Stack, principal: Client, host: str
) -> None:
    ticket = principal.ticket()
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response) if STREAM in response.url else None)
    page.goto(script.url.replace("127.0.0.1", host))

    assert page.evaluate(OPEN, f"{stack.a.url}{STREAM}?token={ticket}") == "closed"

    assert [answer.status for answer in answers] in ([], [403])
    assert stack.client(None).stream_status(token=ticket) == 200


def test_w01_the_same_page_opens_a_stream_where_it_may(page: Page, script: ScriptedServer) -> None:
    page.goto(script.url)
    page.evaluate("(url) => { window.source = new EventSource(url); }", f"{script.url}{STREAM}?token=x")
    script.next_stream().connected("e-1")
    page.wait_for_function("() => window.source.readyState === EventSource.OPEN")


@pytest.mark.parametrize(
    "address", ["/operator/?note=private", "/operator/login?next=/operator/", "/admin/login/?next=/"]
)
def test_w13_a_link_to_another_site_does_not_say_where_it_was(
    page: Page, stack: Stack, script: ScriptedServer, address: str
) -> None:
    page.goto(stack.a.url + address)
    assert referer_of_link(page, script) is None


def test_w13_a_page_without_our_policy_does_say_so(page: Page, script: ScriptedServer) -> None:
    with ScriptedServer() as other:
        page.goto(other.url)
        assert referer_of_link(page, script) == f"{other.url}/"


def referer_of_link(page: Page, script: ScriptedServer) -> str | None:
    """What the other site hears when somebody follows a link of this page."""
    page.evaluate(FOLLOW_LINK, f"{script.url}/elsewhere")
    page.wait_for_url("**/elsewhere")
    [headers] = [headers for method, path, _, headers in script.requests if path == "/elsewhere"]
    return headers.get("referer")


def test_w06_no_credential_is_kept_in_the_browser(page: Page, stack: Stack, viewer: Account) -> None:
    tickets: list[str] = []
    bodies: list[str] = []

    def note(response: Response) -> None:
        if response.url.endswith("/sse-token"):
            tickets.append(response.json()["sse_token"])
        elif response.request.resource_type in ("document", "script", "stylesheet") and response.ok:
            bodies.append(response.text())

    page.on("requestfinished", lambda request: note(answer) if (answer := request.response()) else None)
    console = ConsolePage(page, stack.a.url)
    console.open_by_form(viewer)
    wait_until(lambda: page.evaluate("true") and tickets, "the console's ticket was seen")
    cookies = page.context.cookies()
    secrets = {*tickets, *stack.credentials, viewer.password}
    secrets |= {cookie["value"] for cookie in cookies if "session" in cookie["name"]}

    kept = page.evaluate(KEPT)
    assert json.loads(kept) | {"state": None} == {
        **dict.fromkeys(("local", "session"), {}),
        **dict.fromkeys(("databases", "caches"), []),
        **{"cookies": "", "state": None, "name": "", "address": f"{stack.a.url}/operator/"},
    }
    assert bodies
    found = [secret for secret in secrets for text in (kept, page.content(), *bodies) if secret in text]
    assert found == []
    assert cookies
    assert {(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies} == {(True, "Lax")}
