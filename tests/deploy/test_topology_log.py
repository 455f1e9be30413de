"""What nginx as shipped writes about a request: enough to find it again, and no credential, wherever it stood."""

import json

import pytest

from tests.client import API, Client
from tests.deploy.test_topology import STREAM, lines_of
from tests.deploy.topology import Topology
from tests.waiting import wait_until

LOG_LINE_LIMIT_BYTES = 2048

pytestmark = pytest.mark.timeout(120)


def test_the_access_log_has_the_address_and_never_the_query(topology: Topology, proxied: Client, marker: str) -> None:
    ticket = proxied.ticket()
    with proxied.stream(token=ticket, headers={"X-Correlation-Id": marker, "Referer": f"http://x/?{ticket}"}) as stream:
        stream.connected()
    (line,) = wait_until(lambda: lines_of(topology, marker), "the stream is in the log")
    assert (line["path"], line["status"], line["method"]) == (f"{STREAM}?***", 200, "GET")
    assert ticket not in topology.nginx.logs()


def test_n01_the_access_log_has_no_credential_of_a_path_and_a_bounded_line(
    topology: Topology, proxied: Client, marker: str
) -> None:
    ticket = proxied.ticket()
    odd = {"User-Agent": '"' * 3000}
    encoded = "".join(f"%{byte:02x}" for byte in ticket.encode())
    for number, name in enumerate((ticket, encoded, "x" * 3000)):
        correlation_id = f"{marker}-{number}"
        proxied.get(f"{API}/modules/{name}", headers={"X-Correlation-Id": correlation_id, **odd})
        (line,) = wait_until(lambda wanted=correlation_id: lines_of(topology, wanted), "it is in the log")  # type: ignore[misc]
        assert len(json.dumps(line)) <= LOG_LINE_LIMIT_BYTES
    assert ticket not in topology.nginx.logs()
    assert encoded not in topology.nginx.logs()
