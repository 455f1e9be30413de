"""What /metrics tells: its figures move when what they count happens."""

import time
from collections.abc import Callable

import pytest

from tests.client import Json
from tests.conftest import OwnStack
from tests.metrics import figures
from tests.stacks import Stack
from tests.waiting import wait_until


@pytest.fixture
def own(own_stack: OwnStack) -> Stack:
    return own_stack()


def test_valid_tickets_are_counted_and_used_ones_are_not(own: Stack) -> None:
    client = own.client(own.principal_token)
    tickets = [client.ticket() for _ in range(3)]
    assert own.client(None).stream_status(token=tickets[0]) == 200

    for server in own.servers:
        seen = figures(own.client(own.principal_token, server=server))
        assert seen["vx11_ephemeral_token_cache_size_entries"] == 2
        assert seen["vx11_operator_ephemeral_tokens_active"] == 2
    assert figures(client)["vx11_operator_sse_connections_ephemeral_total"] == 1


def test_streams_are_counted_by_how_they_began_and_how_they_ended(own: Stack, new_event: Callable[..., Json]) -> None:
    client, service = own.client(own.principal_token), own.client(own.service_token)
    start = client.cursor()
    service.published([new_event() for _ in range(3)])
    with client.stream() as stream:
        stream.connected()
        assert figures(client)["vx11_streams_active"] == 1
    with client.stream(last_event_id=start, follow="false") as stream:
        stream.rest()
    with client.stream(last_event_id="0ther-7") as stream:
        stream.named("stream-reset")

    wait_until(lambda: figures(client)["vx11_streams_active"] == 0, "the streams are gone")
    seen = figures(client)
    assert seen['vx11_streams_opened_total{start="now"}'] == 1
    assert (
        seen['vx11_streams_opened_total{start="recent"}'] + seen.get('vx11_streams_opened_total{start="log"}', 0) == 1
    )
    assert seen['vx11_streams_opened_total{start="reset"}'] == 1
    assert seen['vx11_streams_reset_total{reason="epoch"}'] == 1
    assert seen['vx11_streams_ended_total{reason="client_closed"}'] == 2
    assert seen['vx11_streams_ended_total{reason="end_of_log"}'] == 1
    assert seen["vx11_events_sent_total"] == 3


def test_how_late_events_are_and_how_far_the_log_goes_is_told(own: Stack, new_event: Callable[..., Json]) -> None:
    client, service = own.client(own.principal_token), own.client(own.service_token)
    with client.stream() as stream:
        stream.connected()
        for _ in range(5):
            service.published(new_event())
        stream.events(5)
    wait_until(lambda: figures(client).get("vx11_log_head_seq") == 5, "the relay has looked at the log")
    seen = figures(client)
    assert 1 <= seen["vx11_publish_to_write_seconds_count"] <= 5
    assert seen["vx11_publish_to_write_seconds_sum"] < 5
    assert (seen["vx11_log_oldest_seq"], seen["vx11_relay_lag_events"]) == (1, 0)
    assert seen["vx11_connections_open"] >= 1


# How long the client of the test keeps its ticket before it opens the stream.
KEPT_SECONDS = 0.6
REDEEM, TO_FIRST_BYTE, OPEN = (
    "vx11_sse_token_redeem_seconds",
    "vx11_sse_token_to_first_byte_seconds",
    "vx11_stream_open_seconds",
)


def test_the_time_to_a_streams_first_byte_is_counted_from_its_ticket_and_from_its_request(own: Stack) -> None:
    client = own.client(own.principal_token)
    ticket = client.ticket()
    time.sleep(KEPT_SECONDS)  # The time is what is measured.
    with own.client(None).stream(token=ticket) as stream:
        stream.connected()
    # A token in a header has no ticket before it.
    with client.stream() as stream:
        stream.connected()
    # What is refused is no opening.
    assert own.client(None).stream_status(token=ticket) == 401

    seen = figures(client)
    counts = [seen[f"{name}_count"] for name in (REDEEM, TO_FIRST_BYTE, OPEN)]
    assert counts == [1, 1, 2]
    assert KEPT_SECONDS - 0.05 <= seen[f"{REDEEM}_sum"] <= seen[f"{TO_FIRST_BYTE}_sum"] < 5
    assert seen[f"{OPEN}_sum"] > 0
    # The client's own time is in the one and not in the other.
    assert 0 < seen[f"{TO_FIRST_BYTE}_sum"] - seen[f"{REDEEM}_sum"] < seen[f"{OPEN}_sum"]


def test_a_ticket_that_expires_unused_is_counted_whichever_process_the_others_were_used_in(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_SSE_TOKEN_TTL_SECONDS="2")
    client = stack.client(stack.principal_token)
    tickets = [client.ticket() for _ in range(4)]
    other = stack.client(None, server=stack.servers[-1])
    assert other.stream_status(token=tickets[0]) == 200
    name = "vx11_sse_token_expired_unused_total"
    assert figures(client)[name] == 0
    wait_until(lambda: figures(client)[name] == 3, "those that opened no stream are counted", timeout_seconds=10)
    assert figures(stack.client(stack.principal_token, server=stack.servers[-1]))[name] in (0, 3)
