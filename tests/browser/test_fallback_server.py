"""Streams that a proxy holds back, against real servers: polling, and back to a stream, beside what the log holds."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.browser.buffering import BufferingProxy
from tests.browser.tabs import NewTabs
from tests.client import Client
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
CONNECT_TIMEOUT_MS = 10_000
PROBE_MS = 30_000


@pytest.fixture
def proxy(stack: Stack) -> Iterator[BufferingProxy]:
    with BufferingProxy(stack.a.url) as proxy:
        yield proxy


@pytest.mark.parametrize("count", [1, 3])
def test_streams_that_a_proxy_holds_back_are_replaced_by_polls_until_they_pass(
    new_tabs: NewTabs,
    proxy: BufferingProxy,
    stack: Stack,
    service: Client,
    principal: Client,
    new_event: NewEvent,
    count: int,
) -> None:
    def publish_and_compare() -> None:
        service.published([new_event() for _ in range(20)])
        logged = [event["seq"] for event in principal.polled(since=since, limit=500)["events"]]
        tabs.wait_for_events(logged)

    since = principal.cursor()
    tabs = new_tabs(f"{proxy.url}/health")
    tabs.context.clock.install()
    for _ in range(count):
        tabs.open(token=stack.principal_token, since=since)
    wait_until(lambda: tabs.streams_asked, "a stream was asked for")
    tabs.context.clock.fast_forward(CONNECT_TIMEOUT_MS)
    tabs.wait_for_state("polling")
    assert tabs.leader.status["transport"] == "poll"
    publish_and_compare()
    # In two steps, so that no poll takes the jump for a server that does not answer.
    tabs.context.clock.fast_forward(PROBE_MS // 2)
    publish_and_compare()
    proxy.let_streams_pass()
    tabs.context.clock.fast_forward(PROBE_MS // 2)
    publish_and_compare()
    tabs.wait_for_state("live")
    publish_and_compare()
    assert tabs.leader.status["transport"] == "stream"


def test_streams_that_a_proxy_holds_back_are_replaced_by_a_socket_if_it_knows_those(
    new_tabs: NewTabs, stack: Stack, service: Client, principal: Client, new_event: NewEvent
) -> None:
    since = principal.cursor()
    service.published([new_event() for _ in range(20)])
    with BufferingProxy(stack.a.url, knows_sockets=True) as proxy:
        tabs = new_tabs(f"{proxy.url}/health")
        tabs.context.clock.install()
        tabs.open(token=stack.principal_token, since=since)
        wait_until(lambda: tabs.streams_asked, "a stream was asked for")
        tabs.context.clock.fast_forward(CONNECT_TIMEOUT_MS)
        tabs.wait_for_state("live")
        assert tabs.leader.status["transport"] == "socket"
        service.published([new_event(payload={"large": 2**60}) for _ in range(20)])
        tabs.wait_for_events([event["seq"] for event in principal.polled(since=since, limit=500)["events"]])
