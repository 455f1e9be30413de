"""A system that lacks what only Linux has: the program starts there, and streams."""

import os
import sys
from pathlib import Path

import pytest

from tests.installed import plain_environment, started
from tests.servers import ROOT

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]

# What macOS does not have of what this program uses. A Python that finds this file runs it before all else.
SITE = """
import socket, time
for name in ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_INFO", "TCP_NOTSENT_LOWAT"):
    if hasattr(socket, name):
        delattr(socket, name)
del time.CLOCK_BOOTTIME
"""


def test_the_program_serves_and_streams_without_the_names_that_only_linux_has(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITE)
    environment = plain_environment(
        VX11_DATA_DIR=str(tmp_path / "data"), VX11_HEARTBEAT_SECONDS="1", PYTHONPATH=str(tmp_path)
    )
    command = [sys.executable, str(ROOT / "manage.py"), "run", "--host", "0.0.0.0"]  # noqa: S104 - that is the question
    with started(command, folder=tmp_path, environment=environment) as server:
        # What it prints is an address that a browser opens, and says what else is needed to reach it from elsewhere.
        assert f"serves at {server.url}/operator/" in server.printed
        assert "VX11_ALLOWED_HOSTS" in server.printed
        reader, service = server.client("Principal"), server.client("Service")
        with reader.stream() as stream:
            stream.connected()
            sent = service.published([{"event_type": "test.happened", "summary": f"no. {n}"} for n in range(3)])
            assert [event["event_id"] for event in stream.events(3)] == [event["event_id"] for event in sent["events"]]
            stream.named("heartbeat")
        assert reader.get("/ready").status_code == 200
    assert (tmp_path / "data" / "operator.sqlite3").stat().st_uid == os.geteuid()
