"""The list of modules: there without live events, with what is of this system, and with words that are true."""

from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.accounts import Account, add_account
from tests.browser.console_page import ConsolePage, enter
from tests.client import API
from tests.conftest import OwnStack
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
BUILT_IN = ["hermes", "hormiguero", "madre", "manifestator", "operator_backend", "redis", "spawner", "switch"]


def tile(page: Page, name: str) -> Locator:
    return page.locator(f"[data-module={name}]")


def test_the_modules_and_the_window_are_shown_while_no_stream_gets_through(
    page: Page, stack: Stack, viewer: Account, no_window: None
) -> None:
    console = ConsolePage(page, stack.a.url)
    page.route(f"**{API}/events/**", lambda route: route.abort())
    enter(page.context, stack.a.url, viewer)
    page.goto(f"{stack.a.url}/operator/")
    console.expect_state("Reconnecting")
    expect(tile(page, "madre")).to_have_text("madreup")
    expect(page.locator(".window")).to_contain_text("closed (solo madre)")


@pytest.fixture
def fresh(page: Page, own_stack: OwnStack) -> tuple[ConsolePage, Stack]:
    """An installation of its own, on which no module has published yet."""
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"))
    return console, stack


def test_only_what_published_or_was_configured_is_listed(fresh: tuple[ConsolePage, Stack]) -> None:
    console, stack = fresh
    expect(tile(console.page, "madre")).to_be_visible()
    assert console.page.locator("[data-slot=modules] .name").all_text_contents() == [
        "madre",
        "operator_backend",
        "redis",
        "tentaculo_link",
    ]
    stack.a.python("from operator_api.models import Module; Module.objects.filter(name='spawner').update(port=8008)")
    publisher = stack.client(stack.issue_token("service", modules=("switch",))[0])
    publisher.published({"event_type": "routed", "summary": "routed"})
    principal = stack.client(stack.principal_token)
    wait_until(lambda: principal.get(f"{API}/modules/switch").json()["publishing"], "the server has noted switch")
    console.show()
    expect(tile(console.page, "spawner")).to_have_text("spawneroff by policy")
    expect(tile(console.page, "hermes")).to_have_count(0)
    # The policy says that it is off; that it publishes all the same is said, too.
    expect(tile(console.page, "switch")).to_have_text("switchpublishing, though off by policy")
    # All that a window can open are offered as before.
    states = principal.get(f"{API}/modules").json()["modules"]
    assert set(BUILT_IN) < set(states)
    assert (states["switch"]["status"], states["switch"]["publishing"]) == ("OFF_BY_POLICY", True)
    assert (states["spawner"]["configured"], states["hermes"]["configured"]) == (True, False)


def test_a_redis_that_is_none_is_not_shown_as_one(console: ConsolePage, stack: Stack) -> None:
    words = "up" if len(stack.servers) > 1 else "in this process, no Redis"
    expect(tile(console.page, "redis")).to_have_text(f"redis{words}")
