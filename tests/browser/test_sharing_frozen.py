"""The leading tab stands still as a whole: its process has been stopped, as browsers and phones do to save power.

A test cannot make Chromium freeze a tab that is seen, so it stops the tab's process. That is harder: not even the news
that it sleeps gets out.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.accounts import add_account
from tests.browser.scripted import ScriptedServer, ScriptedStream, event, page_of
from tests.browser.tabs import NewTabs, Tab, Tabs
from tests.browser.test_sharing_handover import assert_others_go_on, first, leader
from tests.browser.test_sharing_server import numbers, sign_in, streams
from tests.conftest import OwnStack
from tests.waiting import wait_until

__all__ = ["first", "leader"]

# The process that a tab runs in is the one that works when the tab does.
WORK = "() => { for (const until = performance.now() + 400; performance.now() < until; ) Math.sqrt(until); }"


def process_of(tab: Tab) -> int:
    browser = tab.page.context.browser
    assert browser is not None
    session = browser.new_browser_cdp_session()

    def cpu_seconds() -> dict[int, float]:
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return {process["id"]: process["cpuTime"] for process in processes if process["type"] == "renderer"}

    before = cpu_seconds()
    tab.page.evaluate(WORK)
    after = cpu_seconds()
    session.detach()
    return max(after, key=lambda pid: after[pid] - before.get(pid, 0.0))


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_leader_whose_process_is_stopped_is_replaced_and_nothing_is_lost_or_doubled_in_any_tab(
    tabs: Tabs, script: ScriptedServer, first: ScriptedStream, leader: Tab
) -> None:
    pid = process_of(leader)
    assert pid not in {process_of(tab) for tab in tabs.all}
    with stopped(pid):
        # Lies in the stopped tab's pipe, and is heard by it when others have had it for long.
        first.event(2)
        stream = assert_others_go_on(tabs, script)
        script.pages.append(page_of([event(2)], "e-2"))
    wait_until(lambda: not leader.leads, "the one that was stopped does not lead any more")
    leader.wait_for_events([1, 2])
    stream.event(3)
    tabs.all.append(leader)
    tabs.wait_for_events([1, 2, 3])
    assert tabs.leader is not leader


def test_with_a_real_server_every_tab_has_what_is_in_the_log_when_the_leader_s_process_goes_on(
    new_tabs: NewTabs, own_stack: OwnStack, new_event: Callable[..., Mapping[str, object]], marker: str
) -> None:
    stack = own_stack()
    tabs = sign_in(new_tabs, stack, add_account(stack, group="viewer"))
    for _ in range(3):
        tabs.open(filters={"correlation_id": marker})
    tabs.wait_for_state("live")
    service = stack.client(stack.service_token, server=stack.b)
    service.published([new_event() for _ in range(20)])
    tabs.wait_for_events(numbers(stack, marker))
    leader = tabs.leader
    tabs.forget(leader)
    with stopped(process_of(leader)):
        service.published([new_event() for _ in range(20)])
        tabs.wait_for_events(numbers(stack, marker), timeout_seconds=30)
        assert tabs.leader in tabs.all
    tabs.all.append(leader)
    service.published([new_event() for _ in range(20)])
    tabs.wait_for_events(numbers(stack, marker), timeout_seconds=30)
    assert len(leader.events) == 60
    wait_until(lambda: streams(stack) == 1, "one stream is open", timeout_seconds=30)
