"""The stream over WebSocket through nginx as shipped."""

import pytest

from tests.client import API, Client
from tests.deploy.topology import Topology
from tests.server.wire import Wire, request
from tests.sockets import HANDSHAKE, SOCKET, is_event, received, socket, until
from tests.waiting import wait_until

STREAM = f"{API}/events/stream"

pytestmark = pytest.mark.timeout(120)


def test_a_socket_passes_and_its_ticket_is_in_no_log(
    topology: Topology, proxied: Client, proxied_service: Client, marker: str
) -> None:
    with socket(proxied, correlation_id=marker) as connection:
        assert received(connection)["data"]["type"] == "connected"
        published = proxied_service.published({"event_type": "test.socket", "summary": "x", "correlation_id": marker})
        assert until(connection, is_event)[-1]["data"]["event_id"] == published["event_id"]
    wait_until(
        lambda: any(line["path"] == f"{SOCKET}?***" and line["status"] == 101 for line in topology.nginx.access_log()),
        "nginx's line about the socket",
    )
    # Other addresses never change the protocol.
    headers = {**HANDSHAKE, "X-VX11-Token": proxied.token or ""}
    with Wire(proxied.url) as wire:
        wire.send(request("HEAD", STREAM, headers))
        assert wire.answer(method="HEAD").status == 200
