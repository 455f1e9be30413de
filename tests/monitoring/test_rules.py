"""The alerts as they are shipped: each fires on what it is for, is silent otherwise, and says what to do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.monitoring import shipped
from tests.monitoring.shipped import FOLDER
from tests.runbook_pages import anchors
from tests.servers import ROOT

pytestmark = pytest.mark.once

# As they are named and set in the field.
ALERTS_OF_THE_FIELD = {
    "HighEphemeralTokenRequestRate": "job:vx11_sse_token_issued:rate5m > 100",
    "UnusuallyHighCacheSize": "job:vx11_ephemeral_token_cache_size_entries:max > 500",
    "HighTokenValidationFailureRate": "sum by (job) (job_reason:vx11_sse_auth_failures:rate5m) > 10",
    "HighPrincipalTokenUsageInSSE": "job:vx11_sse_principal_share:ratio_rate1h > 0.1",
}
# A template at most, else somebody who is paged reads a number without words.
WORDS_MIN = 12
PROMTOOL_TIMEOUT_SECONDS = 55
# A fifth of its time is spent on tidying memory that there is enough of.
PROMTOOL_ENVIRONMENT = {**os.environ, "GOGC": "500"}


def promtool(*words: str | Path, folder: Path = FOLDER) -> str:
    done = subprocess.run(
        ["promtool", *words],
        check=False,
        cwd=folder,
        env=PROMTOOL_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PROMTOOL_TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules() -> None:
    found = re.findall(r"SUCCESS: (\d+) rules found", promtool("check", "rules", *shipped.RULES))
    assert sum(map(int, found)) == len(shipped.alerts()) + len(shipped.recorded())


@pytest.mark.parametrize("targets", ["targets", "targets-compose"])
def test_prometheus_takes_the_configuration_and_the_files_it_names(tmp_path: Path, targets: str) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "monitoring")
    if targets != "targets":
        shutil.rmtree(folder / "targets")
        (folder / targets).rename(folder / "targets")
    (folder / "metrics-token").write_text("a token\n")
    promtool("check", "config", "prometheus.yml", folder=folder)


def test_the_configuration_of_alertmanager_is_right() -> None:
    command = ["amtool", "check-config", str(FOLDER / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", shipped.RULE_TESTS, ids=lambda path: path.name)
def test_every_alert_fires_on_what_it_is_for_and_on_nothing_else(path: Path) -> None:
    promtool("test", "rules", path)


def test_every_alert_is_tested_silent_and_firing() -> None:
    silent: set[str] = set()
    firing: set[str] = set()
    for path in shipped.RULE_TESTS:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case["promql_expr_test"]:
                (firing if check.get("exp_samples") else silent).add(case["name"])
                assert f'alertname="{case["name"]}"' in check["expr"]
    names = [alert["alert"] for alert in shipped.alerts()]
    assert len(names) == len(set(names)) >= 30
    assert silent == firing == set(names)


def test_a_rule_test_that_expects_the_wrong_thing_fails(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "monitoring")
    (folder / "rules" / "access.yml").write_text((folder / "rules" / "access.yml").read_text().replace("> 0.2", "> 99"))
    with pytest.raises(AssertionError, match="CredentialsGuessed"):
        promtool("test", "rules", "rule-tests/access.test.yml", folder=folder)


@pytest.mark.parametrize("alert", shipped.alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_urgent_it_is_what_one_sees_and_where_to_read_on(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in shipped.SEVERITIES
    said = alert["annotations"]
    assert said["summary"]
    assert not said["summary"].endswith(".")
    assert len(said["description"].split()) >= WORDS_MIN
    link = said["runbook_url"]
    assert link.startswith(shipped.RUNBOOK_PREFIX + "docs/runbooks/")
    page, _, heading = link.removeprefix(shipped.RUNBOOK_PREFIX).partition("#")
    assert heading in anchors((ROOT / page).read_text())


def test_alerts_that_the_field_knows_keep_their_names_and_thresholds() -> None:
    ours = {alert["alert"]: alert["expr"] for alert in shipped.alerts()}
    for name, expression in ALERTS_OF_THE_FIELD.items():
        assert ours[name].startswith(expression)


def test_alerts_and_runbooks_know_each_other() -> None:
    linked = {re.search(r"runbooks/([\w-]+\.md)", alert["annotations"]["runbook_url"])[1] for alert in shipped.alerts()}  # type: ignore[index]
    written = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
    assert linked == written


def test_every_alert_is_in_the_document() -> None:
    rows = set(re.findall(r"^\| `([A-Z]\w+)` \|", (ROOT / "docs" / "monitoring.md").read_text(), re.MULTILINE))
    assert rows == {alert["alert"] for alert in shipped.alerts()}
