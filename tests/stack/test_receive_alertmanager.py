"""Debian's Alertmanager as sender: what fires and is resolved is in the log once, also when the server was away."""

import datetime
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.answers import assert_problem
from tests.client import API, LOOPBACK, Client, Json
from tests.conftest import OwnStack
from tests.processes import OwnProcess, free_port
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

ALERTMANAGER = f"{API}/ingest/alertmanager"
SHIPPED = ROOT / "deploy" / "monitoring" / "alertmanager.yml"
# Everything at once: it waits for half a minute as it is shipped.
AT_ONCE = {"group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s"}
pytestmark = pytest.mark.timeout(120)


@contextmanager
def alertmanager(stack: Stack, folder: Path) -> Iterator[httpx2.Client]:
    """A client of its API; it notifies the stack by a webhook."""
    folder.mkdir()
    config = yaml.safe_load(SHIPPED.read_text())
    config["route"] |= AT_ONCE
    [[webhook]] = [receiver["webhook_configs"] for receiver in config["receivers"]]
    assert webhook["url"].endswith(ALERTMANAGER)
    webhook["url"] = f"{stack.a.url}{ALERTMANAGER}"
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    (folder / "alerts-token").write_text(stack.service_token)
    process, port = OwnProcess(folder / "alertmanager.log"), free_port()
    command = [
        "prometheus-alertmanager",
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        "--cluster.listen-address=",
    ]
    process.start(
        [*command, f"--web.listen-address=127.0.0.1:{port}"], folder=folder, environment={"PATH": os.environ["PATH"]}
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", **LOOPBACK) as client:
            wait_until(lambda: is_ready(client), "Alertmanager is ready", timeout_seconds=30)
            yield client
    finally:
        process.end()


def is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx2.TransportError:
        return False


STARTED = "2026-05-28T20:26:40.000Z"


def alert(client: httpx2.Client, name: str, *, resolved: bool = False, summary: str = "The disk is full") -> None:
    now = datetime.datetime.now(datetime.UTC)
    found: Json = {
        "labels": {"alertname": name, "severity": "critical", "job": name},
        "annotations": {"summary": summary},
        "startsAt": STARTED,
    }
    if resolved:
        found["endsAt"] = now.isoformat()
    assert client.post("/api/v2/alerts", json=[found]).status_code == 200


def of(client: Client, module: str) -> list[Json]:
    return list(client.polled(module=module, limit=100)["events"])


def test_what_fires_and_is_resolved_is_in_the_log_once(own_stack: OwnStack, tmp_path: Path, marker: str) -> None:
    stack = own_stack()
    client = stack.client(stack.principal_token)
    with alertmanager(stack, tmp_path / "alertmanager") as sender:
        alert(sender, marker)
        wait_until(lambda: len(of(client, marker)) == 1, "the alert fires", timeout_seconds=30)
        # It notifies again every second, and with another text.
        alert(sender, marker, summary="The disk is fuller")
        notified = sent_count(sender)
        wait_until(lambda: sent_count(sender) >= notified + 2, "it notifies again", timeout_seconds=30)
        assert len(of(client, marker)) == 1

        stack.a.kill()
        alert(sender, f"{marker}-2")
        failed = failed_count(sender)
        wait_until(lambda: failed_count(sender) > failed, "a notification has failed", timeout_seconds=60)
        stack.a.start()
        wait_until(lambda: len(of(client, f"{marker}-2")) == 1, "the second alert has come", timeout_seconds=60)

        alert(sender, marker, resolved=True)
        wait_until(lambda: len(of(client, marker)) == 2, "the first is resolved", timeout_seconds=60)
    firing, resolved = of(client, marker)
    assert [(each["event_type"], each["severity"]) for each in (firing, resolved)] == [
        *(("alert.firing", "critical"), ("alert.resolved", "info")),
    ]
    assert firing["summary"] == f"{marker}: The disk is full"
    assert firing["occurred_at"].startswith("2026-05-28T20:26:40")
    assert firing["payload"]["group"]["receiver"] == "operators-log"


def sent_count(sender: httpx2.Client) -> float:
    return _figure(sender, 'alertmanager_notifications_total{integration="webhook"}')


def failed_count(sender: httpx2.Client) -> float:
    return _figure(sender, 'alertmanager_notification_requests_failed_total{integration="webhook"}')


def _figure(sender: httpx2.Client, name: str) -> float:
    lines = sender.get("/metrics").text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "malformed_json"),
        (json.dumps({"version": "3", "alerts": []}).encode(), 422, "validation_error"),
        (json.dumps({"version": "4", "alerts": [{}]}).encode(), 422, "validation_error"),
    ],
)
def test_what_is_no_notification_is_refused(service: Client, body: bytes, status: int, reason: str) -> None:
    answer = service.post(ALERTMANAGER, content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, status, reason)
