"""A browser for tests: Debian's chromium, a fresh profile for each page, and what went wrong in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from tests.accounts import Account, add_account
from tests.browser.admin_page import add_history, add_staff
from tests.browser.console_page import ConsolePage
from tests.browser.scripted import ScriptedServer
from tests.browser.tabs import NO_LOCKS, NewTabs, Tabs
from tests.browser.watched_client import WAIT_FLOOR_MS, Start, WatchedClient
from tests.client import Client
from tests.stack.operators import close_window
from tests.stacks import Stack

CHROMIUM = "/usr/bin/chromium-headless-shell"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 10_000
DESKTOP = ViewportSize(width=1280, height=800)

NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Opens a page with a profile of its own: `new_page(color_scheme="dark")`."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "UTC", **options})
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()


@pytest.fixture
def new_tabs(new_page: NewPage) -> NewTabs:
    """A browser profile whose tabs share a connection: `new_tabs(address, NO_LOCKS)`."""

    def make(address: str, *scripts: str, **options: Any) -> Tabs:
        context = new_page().context
        for text in scripts:
            context.add_init_script(text)
        return Tabs(context, address, **options)

    return make


@pytest.fixture
def script() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(params=["locks", "channel"])
def tabs(request: pytest.FixtureRequest, new_tabs: NewTabs, script: ScriptedServer) -> Tabs:
    """Tabs on the scripted server that share a connection: with Web Locks, and once more without."""
    return new_tabs(script.url, *[NO_LOCKS] * (request.param == "channel"))


@pytest.fixture
def start(page: Page, script: ScriptedServer) -> Start:
    """Starts a client against the scripted server: `start(since="e-3", luck=1)`."""

    def make(**options: Any) -> WatchedClient:
        return WatchedClient(page, script, **options)

    return make


@pytest.fixture
def start_polling(start: Start, script: ScriptedServer) -> Start:
    """A client whose streams are all refused, at the moment when it has begun to poll."""

    def make(**options: Any) -> WatchedClient:
        script.stream_status = 503
        client = start(**options)
        for number in (1, 2):
            client.wait_for_state("reconnecting", times=number)
            client.run(WAIT_FLOOR_MS)
        client.wait_for_state("polling")
        return client

    return make


@pytest.fixture(scope="session")
def viewer(shared_stack: Stack) -> Account:
    """Somebody who may read events and nothing else."""
    return add_account(shared_stack, group="viewer")


@pytest.fixture(scope="session")
def administrator(shared_stack: Stack) -> Account:
    return add_staff(shared_stack, group=None, superuser=True)


@pytest.fixture(scope="session")
def history(shared_stack: Stack) -> None:
    """An hour of tickets, refusals and streams in the audit."""
    add_history(shared_stack)


@pytest.fixture
def no_window(principal: Client) -> Iterator[None]:
    """None is open, whoever was here before, and none is left open."""
    close_window(principal)
    yield
    close_window(principal)


@pytest.fixture
def console(page: Page, stack: Stack, viewer: Account) -> ConsolePage:
    """The console of the shared installation, live, with a viewer signed in."""
    console = ConsolePage(page, stack.a.url)
    console.open(viewer)
    return console
