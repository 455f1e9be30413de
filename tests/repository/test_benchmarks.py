"""The benchmarks still run and report. How fast anything is, they say themselves; nothing here is timed."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks import delivery, machine, report, suite
from benchmarks.comparison import Comparison, Ratio
from benchmarks.delivery import Load
from benchmarks.figures import Figure, latency
from benchmarks.peers import catalogue, ours
from benchmarks.server import Target, serving
from benchmarks.size import Size
from benchmarks.wire import UnexpectedAnswer
from tests.browser.conftest import CHROMIUM
from tests.repository.tree import ROOT

TINY = Size(
    ticket_seconds=0.2,
    fanout_seconds=0.3,
    publish_seconds=0.2,
    prune_events=2_000,
    redemptions=4,
    warm_up_requests=2,
    browser_seconds=1.2,
    needle_events=2_000,
    search_events=(2_000,),
    clients=0.002,
)
MEASUREMENTS = {
    # What differs on PostgreSQL is the server, not the measurement, and not every machine that runs this has one.
    name: entry.measure
    for name, entry in suite.SUITE.items()
    if isinstance(entry, suite.Measurement) and not entry.on_postgres
}


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with serving() as started:
        yield started


def values(figures: Sequence[Figure]) -> dict[str, float]:
    assert all(math.isfinite(figure.value) for figure in figures)
    return {figure.name: figure.value for figure in figures}


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_benchmark_has_figures_of_a_real_server(name: str, target: Target) -> None:
    measured = values(MEASUREMENTS[name](target, TINY))
    assert max(measured.values()) > 0
    assert {measured.get(name, 0) for name in ("lost", "lost by others", "received twice")} == {0}


@pytest.mark.parametrize("name", ["drain", "storm"])
def test_a_benchmark_that_stops_its_server_loses_nobody(name: str) -> None:
    ((_, figures),) = suite.SUITE[name].run(TINY, lambda text: None).items()
    measured = values(figures)
    ways = ("lost", "received twice", "streams without stream-end", "streams broken off")
    assert {way: measured[way] for way in ways if measured.get(way)} == {}
    assert len(measured) > 4


def test_the_pruning_that_is_measured_deletes_what_it_is_meant_to() -> None:
    ((_, figures),) = suite.SUITE["prune-sqlite"].run(TINY, lambda text: None).items()
    measured = values(figures)
    rates = ("pruned beside 100 single events/s", "pruned beside batches", "published in batches meanwhile")
    assert min(measured[name] for name in rates) > 0


@pytest.mark.timeout(180)
def test_the_searches_that_are_measured_beside_streams_are_answered() -> None:
    ((_, figures),) = suite.SUITE["search-beside"].run(TINY, lambda text: None).items()
    measured = values(figures)
    assert {measured[name] for name in ("lost, alone", "lost, beside", "/ready said no")} == {0}
    assert measured["searches answered"] > 0


def test_the_index_that_is_measured_has_all_that_was_published() -> None:
    ((_, figures),) = suite.SUITE["index-lag"].run(TINY, lambda text: None).items()
    assert values(figures)["published"] > 0


def test_the_watches_that_are_measured_fire_and_nothing_is_lost_beside_them() -> None:
    results = suite.SUITE["watches"].run(TINY, lambda text: None)
    assert list(results) == ["watches, none", "watches, 2", "watches, compared"]
    measured = [values(figures) for figures in results.values()]
    assert [(each["lost"], each["received twice"]) for each in measured[:2]] == [(0, 0)] * 2
    assert measured[2]["event to outbox, p95"] > 0


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs {CHROMIUM}")
@pytest.mark.timeout(180)
def test_the_console_in_a_browser_shows_every_event_once_while_it_is_measured() -> None:
    ((_, figures),) = suite.SUITE["browser"].run(TINY, lambda text: None).items()
    measured = values(figures)
    assert (measured["events shown"], measured["lost"], measured["shown twice"]) == (480, 0, 0)
    assert min(measured[name] for name in ("main thread busy", "JavaScript heap at the end", "DOM nodes, most")) > 0


@pytest.mark.parametrize("name", catalogue.ALL)
def test_every_peer_that_is_installed_delivers_everything_to_every_stream(name: str) -> None:
    kind = catalogue.ALL[name]
    if missing := kind.missing():
        pytest.skip(f"needs {missing}")
    with kind.serving() as peer:
        result = delivery.deliver(peer, Load(streams=12, per_second=20, seconds=0.5))
    assert (result.received, result.lost, result.doubled) == (120, 0, 0)
    # Streams 0 and 10 are timed.
    assert len(result.latencies_seconds) == 20
    assert 250 < result.received_bytes / result.received < 400


def test_a_publisher_that_is_refused_ends_the_measurement(target: Target) -> None:
    stranger = Target(target.port, target.pid, target.principal_tokens, service_token="vx11s_nobody")
    with pytest.raises(UnexpectedAnswer, match="401"):
        delivery.deliver(ours.peer(stranger), Load(streams=1, per_second=10, seconds=0.1))


def test_a_stream_that_is_refused_ends_the_measurement(target: Target) -> None:
    stranger = Target(target.port, target.pid, ("vx11p_nobody",), target.service_token)
    with pytest.raises(UnexpectedAnswer, match="401"):
        delivery.deliver(ours.peer(stranger), Load(streams=1, per_second=10, seconds=0.1))


def test_a_comparison_without_the_peer_shows_our_figures_and_no_ratio() -> None:
    ratio = Ratio("lost", "somebody who is not installed", at_most=1)
    alone = Comparison("x", streams=1000, per_second=20, peers=[catalogue.OURS], aims={"lost": 0}, ratios=[ratio])
    ((title, figures),) = alone.run(TINY, lambda text: None).items()
    assert title == f"x, {catalogue.OURS}"
    assert [figure.met for figure in figures if figure.name == "lost"] == [True]


def test_a_ratio_is_ours_divided_by_the_peers() -> None:
    compared = Comparison("x", streams=1, per_second=1, peers=[], aims={}, ratios=[Ratio("CPU", "them", at_most=0.5)])
    (ratio,) = compared.compared({catalogue.OURS: [Figure("CPU", 3, "us")], "them": [Figure("CPU", 12, "us")]})
    assert (ratio.value, ratio.met) == (0.25, True)


def test_every_benchmark_is_documented() -> None:
    text = (ROOT / "docs/benchmarks.md").read_text()
    assert [name for name in suite.SUITE if f"`{name}`" not in text] == []
    assert [name for name in catalogue.ALL if name not in text] == []


def test_the_command_line_offers_every_benchmark() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert [name for name in suite.SUITE if name not in done.stdout] == []


def test_percentiles_are_of_all_latencies_in_milliseconds() -> None:
    figures = values(latency("x", [n / 1000 for n in range(101)], worst=True))
    assert figures == pytest.approx({"x, p50": 50, "x, p95": 95, "x, p99": 99, "x, longest": 100})


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("p95", 50, "ms", at_most=50), True),
        (Figure("p95", 50.1, "ms", at_most=50), False),
        (Figure("rate", 800, "/s", at_least=800), True),
        (Figure("rate", 799, "/s", at_least=800), False),
        (Figure("CPU", 12, "%"), None),
    ],
    ids=str,
)
def test_a_figure_knows_whether_its_target_is_met(figure: Figure, *, met: bool | None) -> None:
    assert figure.met is met


def test_the_table_has_a_line_for_each_figure_and_names_the_machine() -> None:
    described = machine.description()
    figures = [Figure("rate", 799, "/s", at_least=800), Figure("p95", 7.25, "ms", at_most=50)]
    table = report.as_markdown(described, {"publishing": figures})
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert ["publishing", "rate", "799 /s", ">= 800 /s", "NO"] in cells
    assert ["publishing", "p95", "7.25 ms", "<= 50 ms", "yes"] in cells
    assert ["nchan", described["nchan"]] in cells


def test_the_json_holds_what_the_table_says() -> None:
    data = report.as_json({"python": "3"}, {"publishing": [Figure("rate", 799, "/s", at_least=800)]})
    (figure,) = json.loads(json.dumps(data))["results"]["publishing"]
    assert (figure["name"], figure["value"], figure["at_least"], figure["met"]) == ("rate", 799, 800, False)
