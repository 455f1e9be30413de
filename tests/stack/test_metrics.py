"""What /metrics tells: its figures move when what they count happens."""

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
