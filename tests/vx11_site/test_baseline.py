"""The scorecard: figures out of /metrics, beside their targets and those of an earlier day."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vx11_site.doctor.findings import Level
from vx11_site.smoke import baseline
from vx11_site.smoke.baseline import FIGURES, Figures

pytestmark = pytest.mark.once

METRICS = """\
# HELP vx11_requests_total Answers.
vx11_requests_total{route="tickets",status="200"} 980.0
vx11_requests_total{route="stream",status="503"} 15.0
vx11_requests_total{route="poll",status="500"} 5.0
vx11_requests_total{route="watch",status="503"} 4000.0
vx11_operator_sse_connections_ephemeral_total 60.0
vx11_operator_sse_connections_principal_total 20.0
vx11_operator_sse_connections_in_url_total{token="valid"} 15.0
vx11_operator_sse_connections_in_url_total{token="unknown"} 5.0
vx11_sse_token_issued_total 200.0
vx11_sse_token_expired_unused_total 10.0
process_resident_memory_bytes 1.048576e+08
vx11_relay_lag_events 3.0
"""
GOOD: Figures = {
    **{"ticket_p95": 5, "first_byte_p95": 40, "poll_p95": 10, "status_p95": 10},
    **{"failed_requests": 0, "adoption": 95, "tickets_expired_unused": 2, "memory": 120, "lag": 0},
}


def levels(figures: Figures, before: Figures) -> dict[str, Level]:
    found = list(baseline.scorecard(figures, before))
    return {finding.text.partition(":")[0]: finding.level for finding in found}


def test_figures_are_read_from_metrics_without_those_who_watch() -> None:
    assert baseline.of_metrics(METRICS) == {
        **{"failed_requests": 2, "adoption": 60, "tickets_expired_unused": 5},
        **{"memory": 100, "lag": 3},
    }


def test_a_figure_of_nothing_is_left_out_and_said_to_be_unknown() -> None:
    assert baseline.of_metrics("") == {"lag": 0}
    found = list(baseline.scorecard({}, {}))
    assert [finding.text for finding in found] == [f"{figure.name}: not known here" for figure in FIGURES]


def test_every_figure_is_fine_by_itself_and_beside_the_same() -> None:
    assert set(levels(GOOD, {}).values()) == {Level.OK}
    assert set(levels(GOOD, GOOD)) == {figure.name for figure in FIGURES} == set(GOOD)
    assert set(levels(GOOD, GOOD).values()) == {Level.OK}


@pytest.mark.parametrize("figure", [one for one in FIGURES if one.target is not None], ids=lambda figure: figure.name)
def test_a_figure_beyond_its_target_is_named_with_a_page_to_read(figure: baseline.Figure) -> None:
    assert figure.target is not None
    beyond = figure.target - 1 if figure.more_is_better else figure.target + 1
    [finding] = [one for one in baseline.scorecard(GOOD | {figure.name: beyond}, {}) if one.level is not Level.OK]
    assert finding.text.startswith(f"{figure.name}: ")
    assert finding.text.endswith("misses its target")
    assert finding.repair == figure.page
    at_it = GOOD | {figure.name: figure.target}
    assert set(levels(at_it, {}).values()) == {Level.OK}


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("ticket_p95", 24, Level.OK),
        ("ticket_p95", 26, Level.WARN),
        ("first_byte_p95", 89, Level.OK),
        ("first_byte_p95", 140, Level.WARN),
        ("adoption", 86, Level.OK),
        ("adoption", 84, Level.WARN),
        ("tickets_expired_unused", 13, Level.WARN),
        ("memory", 300, Level.WARN),
        ("memory", 60, Level.OK),
    ],
)
def test_what_has_become_worse_than_it_was_is_named_though_it_is_within_its_target(
    name: str, value: float, level: Level
) -> None:
    found = levels(GOOD | {name: value}, GOOD)
    assert found == dict.fromkeys(found, Level.OK) | {name: level}


def test_figures_are_kept_in_a_file_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert baseline.read(path) is None
    baseline.write(path, GOOD | {"lag": 1 / 3}, url="http://localhost", now=datetime(2026, 1, 4, tzinfo=UTC))
    assert baseline.read(path) == GOOD | {"lag": 0.333}
    assert json.loads(path.read_text())["taken_at"] == "2026-01-04T00:00:00Z"
    assert [file.name for file in tmp_path.iterdir()] == ["baseline.json"]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2, "figures": {}}', '{"version": 1, "figures": {"a": "x"}}']
)
def test_a_file_that_holds_no_figures_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(content)
    with pytest.raises(baseline.UnfitBaseline):
        baseline.read(path)
