"""One connection for all tabs, against real servers: what they count, and what each tab shows beside the log."""

from collections.abc import Callable, Mapping

import pytest

from tests.accounts import Account, add_account
from tests.browser.console_page import ConsolePage, enter
from tests.browser.tabs import NO_LOCKS, NewTabs, Tabs
from tests.client import Client
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
CONSOLE = "/operator/"
# No client runs there by itself, and its policy is that of every page.
PLAIN_PAGE = "/health"


def sign_in(new_tabs: NewTabs, stack: Stack, account: Account, *scripts: str) -> Tabs:
    """A browser profile with a session of this account."""
    tabs = new_tabs(stack.a.url + PLAIN_PAGE, *scripts, console_path=CONSOLE)
    enter(tabs.context, stack.a.url, account)
    return tabs


def streams(stack: Stack) -> int:
    clients = {server.url: stack.client(stack.principal_token, server=server) for server in stack.servers}
    return int(sum(metric(client, "vx11_streams_active") for client in clients.values()))


def numbers(stack: Stack, marker: str) -> list[int]:
    client = stack.client(stack.principal_token)
    return [event["seq"] for event in client.all_events(correlation_id=marker)]


@pytest.mark.parametrize("scripts", [(), (NO_LOCKS,)], ids=["locks", "channel"])
def test_w12_ten_tabs_have_one_stream_and_each_shows_what_is_in_the_log(
    new_tabs: NewTabs, own_stack: OwnStack, new_event: NewEvent, marker: str, scripts: tuple[str, ...]
) -> None:
    stack = own_stack()
    tabs = sign_in(new_tabs, stack, add_account(stack, group="viewer"), *scripts)
    for _ in range(10):
        tabs.open(filters={"correlation_id": marker})
    tabs.wait_for_state("live")
    service = stack.client(stack.service_token, server=stack.b)
    for _ in range(5):
        service.published([new_event() for _ in range(20)])
    tabs.wait_for_events(numbers(stack, marker))
    assert len(tabs.all[0].events) == 100
    wait_until(lambda: streams(stack) == 1, "one stream is open")
    assert all(lag is not None and 0 <= lag < 10_000 for tab in tabs.all for lag in tab.lags)


def test_w12_when_leaders_close_while_events_come_nothing_is_lost_or_doubled(
    new_tabs: NewTabs, own_stack: OwnStack, new_event: NewEvent, marker: str
) -> None:
    stack = own_stack()
    tabs = sign_in(new_tabs, stack, add_account(stack, group="viewer"))
    for _ in range(5):
        tabs.open()
    tabs.wait_for_state("live")
    service = stack.client(stack.service_token, server=stack.b)
    for round_ in range(4):
        leader = tabs.leader
        service.published([new_event() for _ in range(20)])
        tabs.forget(leader)
        # In turn: closed by its reader, or gone without a word.
        leader.close() if round_ % 2 else leader.crash()
        service.published([new_event() for _ in range(20)])
    tabs.wait_for_events(numbers(stack, marker), timeout_seconds=30)
    assert len(tabs.all[0].events) == 160
    wait_until(lambda: streams(stack) == 1, "one stream is open", timeout_seconds=30)


def test_a_restart_of_the_server_loses_and_doubles_nothing_in_any_tab(
    new_tabs: NewTabs, own_stack: OwnStack, new_event: NewEvent, marker: str
) -> None:
    stack = own_stack()
    tabs = sign_in(new_tabs, stack, add_account(stack, group="viewer"))
    for _ in range(3):
        tabs.open()
    tabs.wait_for_state("live")
    service = stack.client(stack.service_token)
    service.published([new_event() for _ in range(5)])
    stack.a.stop()
    tabs.wait_for_state("reconnecting")
    stack.a.start()
    service.published([new_event() for _ in range(5)])
    tabs.wait_for_state("live", timeout_seconds=40)
    tabs.wait_for_events(numbers(stack, marker))
    wait_until(lambda: streams(stack) == 1, "one stream is open")


def test_a_tab_that_comes_late_shows_the_same_as_those_that_were_there(
    new_tabs: NewTabs, stack: Stack, viewer: Account, service: Client, principal: Client, new_event: NewEvent
) -> None:
    since = principal.cursor()
    tabs = sign_in(new_tabs, stack, viewer)
    tabs.open(since=since)
    service.published([new_event() for _ in range(30)])
    tabs.open(since=since)
    service.published([new_event() for _ in range(30)])
    tabs.wait_for_events([event["seq"] for event in principal.polled(since=since, limit=500)["events"]])


def test_signing_out_in_one_tab_ends_all(new_tabs: NewTabs, stack: Stack) -> None:
    tabs = sign_in(new_tabs, stack, add_account(stack, group="viewer"))
    for _ in range(3):
        tabs.open()
    tabs.wait_for_state("live")
    console = ConsolePage(tabs.context.new_page(), stack.a.url)
    console.page.goto(stack.a.url + CONSOLE)
    console.page.get_by_role("button", name="Sign out").click()
    tabs.wait_for_state("ended")
    assert {tab.status["reason"] for tab in tabs.all} <= {"revoked", "missing_token"}


def test_sessions_with_names_of_their_own_do_not_mix(
    new_tabs: NewTabs, stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    """Two tabs of one profile: one may see one module only, and is not told of others by its peer."""
    tabs = new_tabs(stack.a.url + PLAIN_PAGE)
    narrow, narrow_id = stack.issue_token("principal", modules=("hermes",))
    wide, wide_id = stack.issue_token("principal")
    mine = tabs.open(token=narrow, share=narrow_id, filters={"correlation_id": marker})
    theirs = tabs.open(token=wide, share=wide_id, filters={"correlation_id": marker})
    tabs.wait_for_state("live")
    for module in ("madre", "hermes"):
        service.published(new_event(module=module))
    theirs.wait_for_events(numbers(stack, marker))
    mine.wait_for_events(numbers(stack, marker)[1:])
    assert mine.leads
    assert theirs.leads
