"""What /metrics tells beyond streams and tickets: requests, what the process stands on, windows and modules."""

import pytest

from tests.client import API
from tests.conftest import OwnStack
from tests.metrics import figures, metric
from tests.stacks import Stack
from tests.waiting import wait_until
from vx11_site import release
from vx11_site.server.request_metrics import route_of


@pytest.fixture
def own(own_stack: OwnStack) -> Stack:
    return own_stack()


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/operator/api/events/sse-token", "tickets"),
        ("GET", "/operator/api/v1/events/stream", "stream"),
        ("POST", "/operator/api/events", "publish"),
        ("GET", "/operator/api/events", "poll"),
        ("POST", "/operator/api/chat/window/open", "window"),
        ("POST", "/api/window/close", "window"),
        ("GET", "/operator/api/windows", "window"),
        ("POST", "/operator/api/chat", "chat"),
        ("GET", "/operator/api/modules/madre", "modules"),
        ("GET", "/operator/api/made-up/by/somebody", "other"),
        ("GET", "/admin/", "pages"),
        ("GET", "/made-up", "pages"),
        ("GET", "/metrics", "watch"),
    ],
)
def test_requests_are_counted_by_what_they_are_about(method: str, path: str, route: str) -> None:
    assert route_of(method, path) == route


def test_requests_are_counted_by_status_and_measured(own: Stack) -> None:
    client = own.client(own.principal_token)
    client.ticket()
    client.poll(limit="none")
    client.get("/nowhere")
    seen = figures(client)
    assert seen['vx11_requests_total{route="tickets",status="200"}'] == 1
    assert seen['vx11_requests_total{route="poll",status="422"}'] == 1
    assert seen['vx11_requests_total{route="pages",status="404"}'] == 1
    assert seen['vx11_request_seconds_count{route="tickets"}'] == 1
    assert seen['vx11_request_seconds_sum{route="tickets"}'] < 5


def test_a_stream_and_a_long_poll_are_counted_and_not_measured(own: Stack) -> None:
    client = own.client(own.principal_token)
    with client.stream() as stream:
        stream.connected()
    client.poll(since=client.cursor(), wait=1)
    name = 'vx11_requests_total{route="stream",status="200"}'
    wait_until(lambda: metric(client, name) == 1, "the stream is counted at its end")
    seen = figures(client)
    assert 'vx11_request_seconds_count{route="stream"}' not in seen
    # The poll that asked where the log ends.
    assert seen['vx11_requests_total{route="poll",status="200"}'] == 2
    assert seen['vx11_request_seconds_count{route="poll"}'] == 1


def test_what_the_process_stands_on_is_told(own: Stack) -> None:
    for server in own.servers:
        seen = figures(own.client(own.principal_token, server=server))
        assert seen[f'vx11_build_info{{version="{release.version()}"}}'] == 1
        assert seen['vx11_dependency_up{dependency="database"}'] == 1
        assert seen['vx11_dependency_up{dependency="cache"}'] == 1
        assert seen['vx11_modules{category="core",status="UP"}'] == 3
        assert seen['vx11_modules{category="optional",status="OFF_BY_POLICY"}'] == 5
        assert 0 < seen["vx11_data_free_bytes"] <= seen["vx11_data_size_bytes"]
        assert seen["vx11_log_lines_dropped_total"] == 0


def test_how_long_the_window_has_been_open_is_told_by_every_process(own: Stack) -> None:
    client = own.client(own.principal_token)
    assert metric(client, "vx11_window_open_seconds") == 0
    assert client.post(f"{API}/window/open", json={"services": ["switch"], "ttl_sec": 600}).status_code == 200
    for server in own.servers:
        other = own.client(own.principal_token, server=server)
        wait_until(lambda other=other: 0 < metric(other, "vx11_window_open_seconds") < 60, "the window is open")  # type: ignore[misc]
        assert metric(other, "vx11_window_overdue") == 0


def test_the_writer_tells_what_it_does(own: Stack) -> None:
    client = own.client(own.principal_token)
    before = metric(client, "vx11_writer_batch_seconds_count")
    client.ticket()
    assert metric(client, "vx11_writer_batch_seconds_count") > before
    seen = figures(client)
    assert (seen["vx11_writer_failed_writes_total"], seen["vx11_writer_lost_rows_total"]) == (0, 0)


def test_when_the_relay_last_looked_at_the_log_is_told(own: Stack) -> None:
    client = own.client(own.principal_token)
    client.get("/ready")
    first = wait_until(lambda: metric(client, "vx11_relay_looked_timestamp_seconds"), "it has looked")
    wait_until(lambda: metric(client, "vx11_relay_looked_timestamp_seconds") > first, "it has looked again")
