"""Nothing on a request's or a stream's way blocks the event loop: a guard in the servers says where something does."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.client import API, Event
from tests.conftest import OwnStack
from tests.servers import ROOT, RunningServer
from tests.stacks import Stack

GUARD = ROOT / "tests/server/loop_guard"
# What it writes first. It is not imported here, for it would begin to watch this process.
MARK = "blocks the event loop:"
READS = ("window/status", "status", "modules", "settings", "chat?session_id=s", "events", "events/stats")
# Lines of the log go to standard error at once, so that a crash loses none; /proc is memory; the Redis client looks up
# its own version whenever it makes a connection.
ALLOWED = ("vx11_site/logs/output.py:", "prometheus_client/process_collector.py:", "importlib/metadata/__init__.py:")


def complaints(server: RunningServer) -> list[str]:
    told = [line for line in server.process.log().splitlines() if line.startswith(MARK)]
    return [line for line in told if not any(place in line.partition(" <- ")[0] for place in ALLOWED)]


def use_everything(stack: Stack, new_event: Callable[..., Event]) -> None:
    """Once through what clients do all day, at every server."""
    for server in {server.url: server for server in stack.servers}.values():
        principal = stack.client(stack.principal_token, server=server)
        service = stack.client(stack.service_token, server=server)
        with principal.stream() as stream:
            stream.connected()
            published = service.published(new_event())
            assert [event["event_id"] for event in stream.events(1)] == [published["event_id"]]
        assert principal.issue_ticket().status_code == 200
        for path in READS:
            assert principal.get(f"{API}/{path}").status_code == 200, path
        assert principal.get("/ready").status_code == 200
        assert principal.get("/metrics").status_code == 200
        assert principal.post(f"{API}/window/open", json={"ttl_sec": 60}).status_code == 200
        assert principal.post(f"{API}/chat", json={"message": "status", "session_id": "s"}).status_code == 200
        assert principal.post(f"{API}/settings", json={"settings": {"theme": "dark"}}).status_code == 200
        assert principal.post(f"{API}/window/close", json={}).status_code == 200
        assert stack.client("nobody-has-this-token", server=server).issue_ticket().status_code == 401


@pytest.mark.timeout(120)
def test_r14_nothing_that_clients_do_blocks_the_event_loop(
    own_stack: OwnStack, new_event: Callable[..., Event]
) -> None:
    stack = own_stack(PYTHONPATH=str(GUARD))
    use_everything(stack, new_event)
    assert [complaint for server in stack.servers for complaint in complaints(server)] == []


def test_r14_the_guard_sees_what_blocks() -> None:
    program = "import asyncio, time\nasync def wait():\n    time.sleep(0.01)\nasyncio.run(wait())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(GUARD)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith(f"{MARK} time.sleep")
