"""A real Prometheus with the shipped configuration watches real processes, and its figures are theirs together."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.client import LOOPBACK
from tests.conftest import OwnStack
from tests.metrics import figures
from tests.monitoring.shipped import FOLDER
from tests.processes import OwnProcess, free_port
from tests.stacks import Stack
from tests.waiting import wait_until

RUNBOOKS = "https://git.example.org/vx11-operator/blob/main/"
# Rules wait for the next scrape and the next evaluation, each a second away.
FIGURE_TIMEOUT_SECONDS = 30


class Prometheus:
    """The shipped configuration, every second instead of every quarter of a minute, on a list of targets."""

    def __init__(self, folder: Path, *, targets: list[str], token: str) -> None:
        self.folder = shutil.copytree(FOLDER, folder)
        shutil.rmtree(self.folder / "targets")
        (self.folder / "targets").mkdir()
        (self.folder / "targets" / "test.yml").write_text(yaml.safe_dump([{"targets": targets}]))
        (self.folder / "metrics-token").write_text(f"{token}\n")
        config = yaml.safe_load((self.folder / "prometheus.yml").read_text())
        config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["global"]["external_labels"]["runbooks"] = RUNBOOKS
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.process = OwnProcess(self.folder / "prometheus.log")
        self.url = f"http://127.0.0.1:{free_port()}"

    def start(self) -> None:
        command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        command += [f"--web.listen-address={self.url.removeprefix('http://')}"]
        self.process.start(command, folder=self.folder, environment={"PATH": "/usr/bin", "HOME": str(self.folder)})
        wait_until(self._is_ready, "Prometheus is ready", timeout_seconds=30)

    def stop(self) -> None:
        if self.process.running:
            self.process.end()

    def _is_ready(self) -> bool:
        assert self.process.running, self.process.log_tail()
        try:
            return httpx2.get(f"{self.url}/-/ready", **LOOPBACK).is_success
        except httpx2.TransportError:
            return False

    def api(self, path: str, **params: str) -> Any:
        answer = httpx2.get(f"{self.url}/api/v1/{path}", params=params, **LOOPBACK, timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]

    def value(self, query: str) -> float | None:
        """Of a query that has one series, or none."""
        found = self.api("query", query=query)["result"]
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def targets(self) -> list[dict[str, Any]]:
        return list(self.api("targets")["activeTargets"])


Watch = Callable[[Stack, str], Prometheus]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with ExitStack() as started:

        def start(stack: Stack, token: str) -> Prometheus:
            targets = [server.url.removeprefix("http://") for server in stack.servers]
            new = Prometheus(tmp_path / "monitoring", targets=targets, token=token)
            started.callback(new.stop)
            new.start()
            return new

        yield start


def test_figures_of_all_processes_are_added_and_what_they_share_is_not(own_stack: OwnStack, watch: Watch) -> None:
    stack = own_stack()
    token, _ = stack.issue_token("service", scopes=("metrics:read",))
    prometheus = watch(stack, token)
    with ExitStack() as opened:
        # A stream that nobody holds any more is closed.
        streams = []
        for number, server in enumerate(stack.servers, start=2):
            client = stack.client(stack.principal_token, server=server)
            for _ in range(number):
                streams.append(opened.enter_context(client.stream()))
                streams[-1].connected()
                client.ticket()
            stack.client(stack.service_token, server=server).published(
                [{"event_type": "test.happened", "summary": "x"}] * number
            )

        def theirs(name: str) -> list[float]:
            return [figures(stack.client(token, server=server))[name] for server in stack.servers]

        sums = {
            "job:vx11_streams_active:sum": "vx11_streams_active",
            "job:vx11_sse_token_issued:sum": "vx11_sse_token_issued_total",
            "job:vx11_events_published:sum": "vx11_events_published_total",
        }
        expected = 2 if stack.size == "embedded" else 2 + 3
        for record, name in sums.items():
            assert sum(theirs(name)) == expected, name
            _wait_for(prometheus, record, expected)
        # Every process sees the same store and the same log: added up, they would be twice too much.
        assert theirs("vx11_ephemeral_token_cache_size_entries") == [expected] * len(stack.servers)
        _wait_for(prometheus, "job:vx11_ephemeral_token_cache_size_entries:max", expected)
        _wait_for(prometheus, "job:vx11_log_head_seq:max", expected)
        assert prometheus.value('sum(up{job="vx11-operator"})') == len(stack.servers)
    _assert_all_rules_are_healthy(prometheus)


def _wait_for(prometheus: Prometheus, record: str, expected: float) -> None:
    wait_until(
        lambda: prometheus.value(record) == expected,
        f"{record} is {expected}; it is {prometheus.value(record)}",
        timeout_seconds=FIGURE_TIMEOUT_SECONDS,
        pause_seconds=0.2,
    )


def _assert_all_rules_are_healthy(prometheus: Prometheus) -> None:
    """Each was evaluated on real figures, and none stumbled over them: two series where one may be, for instance."""

    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]

    wait_until(
        lambda: all(rule["health"] != "unknown" for rule in rules()),
        "every rule has been evaluated",
        timeout_seconds=FIGURE_TIMEOUT_SECONDS,
        pause_seconds=0.2,
    )
    assert [(rule["name"], rule["lastError"]) for rule in rules() if rule["health"] != "ok"] == []


def test_a_process_that_ends_is_an_alert_that_leads_to_its_runbook(own_stack: OwnStack, watch: Watch) -> None:
    stack = own_stack()
    token, _ = stack.issue_token("service", scopes=("metrics:read",))
    prometheus = watch(stack, token)
    wait_until(
        lambda: all(target["health"] == "up" for target in prometheus.targets()),
        "all targets are up",
        timeout_seconds=FIGURE_TIMEOUT_SECONDS,
    )
    ended = stack.b.url.removeprefix("http://")
    stack.b.stop()

    def alert() -> dict[str, Any] | None:
        found = [alert for alert in prometheus.api("alerts")["alerts"] if alert["labels"]["alertname"] == "ProcessDown"]
        return found[0] if found else None

    raised = wait_until(alert, "the alert is raised", timeout_seconds=FIGURE_TIMEOUT_SECONDS, pause_seconds=0.2)
    assert raised["labels"]["instance"] == ended
    assert raised["annotations"]["summary"] == f"{ended} does not answer Prometheus"
    assert raised["annotations"]["runbook_url"] == f"{RUNBOOKS}docs/runbooks/service-recovery.md#see"


def test_a_token_without_the_right_to_read_figures_gets_none(own_stack: OwnStack, watch: Watch) -> None:
    stack = own_stack()
    token, _ = stack.issue_token("principal", scopes=("events:read",))
    prometheus = watch(stack, token)
    wait_until(
        lambda: all(target["health"] == "down" for target in prometheus.targets()),
        "no target is up",
        timeout_seconds=FIGURE_TIMEOUT_SECONDS,
    )
    assert all("403" in target["lastError"] for target in prometheus.targets())
