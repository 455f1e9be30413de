"""The event client with a query against a real server: on its own, sharing, polling, and with a mistake."""

from collections.abc import Callable, Mapping

import pytest

from tests.accounts import add_account
from tests.browser.console_page import enter
from tests.browser.tabs import NewTabs, Tabs
from tests.client import Client
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]


@pytest.fixture
def tabs(new_tabs: NewTabs, stack: Stack) -> Tabs:
    """A browser profile with a session, on a page where no client runs by itself."""
    tabs = new_tabs(f"{stack.a.url}/health", console_path="/operator/")
    enter(tabs.context, stack.a.url, add_account(stack, group="viewer"))
    return tabs


def publish(service: Client, new_event: NewEvent) -> dict[str, int]:
    """Five events, by their summaries: their numbers in the log."""
    events = [
        new_event(summary="Größe 👍", severity="error", payload={"n": 9007199254740993}),
        new_event(summary="GROSSE", severity="error", payload={"n": 9007199254740992}),
        new_event(summary="big", severity="info", payload={"n": 9007199254740993}),
        new_event(summary="other", severity="critical"),
        new_event(summary="last", severity="critical", payload={"last": True}),
    ]
    answer = service.published(events)
    return {str(event["summary"]): told["seq"] for event, told in zip(events, answer["events"], strict=True)}


@pytest.mark.parametrize("share", [None, "a key of the session"], ids=["on its own", "sharing"])
def test_a_query_means_the_same_to_the_server_and_to_a_tab_that_shares(
    tabs: Tabs, service: Client, new_event: NewEvent, marker: str, share: str | None
) -> None:
    asked = f"correlation:{marker} (severity>=error payload.n>9007199254740992 OR payload.last:*)"
    tab = tabs.open(query=asked, share=share)
    tab.wait_for_state("live")
    first, second = publish(service, new_event), publish(service, new_event)
    tab.wait_for_events([numbers[name] for numbers in (first, second) for name in ("Größe 👍", "last")])
    late = tabs.open(query=asked, share=share, history=500)
    late.wait_for_events(tab.events)


def test_polls_pass_on_only_what_the_query_lets_pass(
    tabs: Tabs, service: Client, new_event: NewEvent, marker: str
) -> None:
    tabs.context.route("**/events/stream?*", lambda route: route.abort())
    tabs.context.route_web_socket("**/events/socket?*", lambda route: route.close())
    tab = tabs.open(query=f"correlation:{marker} grosse", share=None)
    tab.wait_for_state("polling", timeout_seconds=30)
    # The first poll begins from now, the next one waits for what comes.
    wait_until(lambda: tab.page.evaluate("window.client.cursor"), "a position")
    numbers = publish(service, new_event)
    tab.wait_for_events([numbers["Größe 👍"], numbers["GROSSE"]], timeout_seconds=30)


@pytest.mark.parametrize("share", [None, "a key of the session"], ids=["on its own", "sharing"])
def test_a_mistake_has_the_same_place_and_sentence_from_the_server_and_from_the_tab(
    tabs: Tabs, share: str | None
) -> None:
    ended = tabs.open(query='  "👍🏽" payload.n>=1,5', share=share).wait_for_state("ended")
    assert ended["reason"] == "validation_error"
    message = "Several values stand behind a colon, in parentheses: module:(a,b)."
    assert ended["mistake"] == {"position": 19, "length": 1, "message": message}
    assert ("correlationId" in ended) is (share is None)
