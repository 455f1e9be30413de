"""Rules and dashboard ask for what the servers have."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.client import Client
from tests.monitoring import shipped
from tests.repository import tree
from tests.repository.tree import ROOT

pytestmark = pytest.mark.once

MODULES = ("events.metrics", "gateway.metrics", "ledger.metrics", "operator_api.gauges", "vx11_site.server.daphne")
# What Prometheus adds by itself, and what the shipped lists of targets add.
LABELS_OF_TARGETS = {"job", "instance", "role"}
OF_HISTOGRAMS = ("_bucket", "_sum", "_count")
# Series that Prometheus makes.
MADE_BY_PROMETHEUS = {"up"}
PLAIN_WORD = re.compile(r"\w+", re.ASCII)


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """Label names of each series that a server has, by the series' name."""
    for name in MODULES:
        importlib.import_module(name)
    return dict(_labels())


def _labels() -> Iterator[tuple[str, set[str]]]:
    collectors: dict[str, Any] = REGISTRY._names_to_collectors
    for name, collector in collectors.items():
        own = set(getattr(collector, "_labelnames", ()))
        yield name, own | {"le"} if name.endswith("_bucket") else own


def test_every_series_of_rules_and_dashboard_exists_in_a_server(principal: Client) -> None:
    text = principal.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    there = set(kinds) | {
        f"{name}{end}" for name, kind in kinds.items() if kind == "histogram" for end in OF_HISTOGRAMS
    }
    named = {series.name for series in shipped.all_series()} - MADE_BY_PROMETHEUS
    assert named - there - set(shipped.recorded()) == set()
    # Whether the look-up above finds anything.
    assert len(named & there) > 30


def test_every_label_that_is_asked_for_is_one_of_its_series(labels: dict[str, set[str]]) -> None:
    wrong = [
        (series.name, label)
        for series in shipped.all_series()
        for label, _, _ in series.matchers
        if label not in LABELS_OF_TARGETS | labels.get(series.name, _labels_of_record(series.name))
    ]
    assert wrong == []


def _labels_of_record(name: str) -> set[str]:
    """A recording rule says in its name what it keeps: `job_reason:...`."""
    return set(name.partition(":")[0].split("_"))


def test_every_label_value_that_is_asked_for_is_a_word_of_the_program(labels: dict[str, set[str]]) -> None:
    sources = "\n".join(
        text for path, text in tree.texts().items() if path.suffix == ".py" and path.parts[0] != "tests"
    )
    asked = {
        (series.name, value)
        for series in shipped.all_series()
        for label, _, values in series.matchers
        if label not in LABELS_OF_TARGETS
        for value in values.split("|")
        if PLAIN_WORD.fullmatch(value) and not value.isdigit()
    }
    assert asked
    assert [pair for pair in asked if f'"{pair[1]}"' not in sources] == []


def test_recording_rules_keep_the_labels_that_their_names_promise() -> None:
    for name, expression in shipped.recorded().items():
        kept = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(",")}
        assert kept - {"le"} == _labels_of_record(name), name


def test_every_recorded_series_is_asked_for_somewhere() -> None:
    # Sums of counters are what one process's counter is compared with, by people and by a test.
    asked = {series.name for series in shipped.all_series()}
    unused = set(shipped.recorded()) - asked
    assert unused == {
        "job:vx11_sse_token_issued:sum",
        "job:vx11_events_published:sum",
        "job:vx11_connections_open:sum",
        "job:vx11_relay_lag_events:max",
    }


def test_every_setting_that_an_alert_names_exists() -> None:
    from vx11_site.config.environment import VARIABLES

    words = "\n".join(path.read_text() for path in shipped.RULES) + shipped.DASHBOARD.read_text()
    assert set(re.findall(r"VX11_[A-Z_]*[A-Z]", words)) <= {variable.name for variable in VARIABLES}


def test_every_command_that_an_alert_names_exists() -> None:
    words = "\n".join(path.read_text() for path in shipped.RULES)
    commands = set(re.findall(r"manage\.py (\w+)", words))
    there = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
    assert commands
    assert commands - there == set()
