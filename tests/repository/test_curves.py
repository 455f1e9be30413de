"""Curves say how steeply costs grow; a large site that is simulated costs what two processes were measured to cost."""

import json
from collections.abc import Mapping

import pytest

from benchmarks import site_page
from benchmarks.comparison import CPU
from benchmarks.curves import loads, log_length, page, walls
from benchmarks.curves.curve import Curve, Line, Point, as_page, steepness
from benchmarks.filters import asked
from benchmarks.scaling import EVENTS_PER_SECOND, STREAMS
from benchmarks.server import postgres_program
from benchmarks.site_model import ROW, Costs, Site, Walls, breaks_first, costs, processes_for, simulate
from tests.repository.test_benchmarks import TINY
from tests.repository.tree import ROOT

SIZES = (1.0, 10.0, 100.0)
MACHINE = {"date": "2026-01-04", "revision": "1", "CPU": "a CPU", "load average before": "0.1"}
RESULTS = ROOT / "benchmarks" / "results"
OF = Costs(
    take=2e-3, hear=3e-4, write_few=8e-6, write_many=1e-6, ticket=1e-3, open_stream=1e-3, replay=1e-6,
    idle_share=0.01, process_megabytes=100, stream_kilobytes=18,
)  # fmt: skip


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_what_grows_by_a_power_has_it_as_its_exponent(power: float) -> None:
    found = steepness([(size, 7 * size**power) for size in SIZES])
    assert found is not None
    assert (found.whole, found.end) == pytest.approx((power, power))


def test_the_end_of_a_curve_decides() -> None:
    bent = steepness([(1, 1), (10, 1), (100, 100)])
    assert bent is not None
    assert (bent.whole, bent.end) == pytest.approx((1.0, 2.0))
    assert bent.verdict == "MORE THAN LINEAR"


@pytest.mark.parametrize("values", [[], [(1.0, 2.0)], [(1.0, 0.0), (10.0, 3.0)]], ids=["none", "one", "zero"])
def test_a_curve_needs_two_points_that_are_more_than_nothing(values: list[tuple[float, float]]) -> None:
    assert steepness(values) is None


def curve(figures: Mapping[float, float], *, judged: bool = True) -> Curve:
    points = [Point(at, {"cost": value}) for at, value in figures.items()]
    return Curve("streams", "By streams", "streams", [Line("cost", "us", judged=judged)], points)


def test_a_table_has_a_row_for_each_point_and_the_exponents() -> None:
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in as_page(curve({10: 3, 1_000_000: 3e10}))]
    assert table[0] == ["streams", "cost"]
    assert [row[0] for row in table[2:]] == ["10", "1,000,000", "exponent, all points", "exponent, the last two", ""]
    assert table[-1] == ["", "MORE THAN LINEAR"]


def test_what_a_clock_says_is_not_judged() -> None:
    assert "by the clock" in as_page(curve({1: 1, 10: 1_000}, judged=False))[-1]


def test_the_page_has_a_place_for_every_curve_and_keeps_its_other_tables() -> None:
    text = (ROOT / "docs" / "curves.md").read_text()
    for name in ("streams", "rate", "bytes", "queries", "log", "redis", "postgres"):
        assert page.BEGIN.format(name=name) in text
    once = page.written(text, MACHINE, [curve({1: 1, 10: 10})])
    assert "| exponent, the last two | 1.00" in once
    assert page.written(once, MACHINE, [curve({1: 1, 10: 10})]) == once
    with pytest.raises(ValueError, match="no place"):
        page.written("", MACHINE, [curve({1: 1})])


def test_a_load_is_measured_and_loses_nothing() -> None:
    said: list[str] = []
    run = loads.Run(2, 1_000, 40, payload_bytes=1_000, queries=asked(2))
    measured = loads.ByLoad("x", "queries", [run]).measure("x", TINY, said.append)
    [point] = measured.points
    assert point.figures[CPU] > 0
    assert point.figures["bytes of an event on the wire"] > 1_000
    assert not [text for text in said if "NOT EXACT" in text]


def test_queries_differ() -> None:
    assert [len(set(asked(count))) for count in (1, 7, 1_000)] == [1, 7, 1_000]


@pytest.mark.timeout(180)
def test_what_the_length_of_the_log_changes_is_measured() -> None:
    [point] = log_length.measure("log", TINY, lambda text: None, counts=[10_000]).points
    assert set(point.figures) == {line.name for line in log_length.LINES}
    assert min(point.figures[line.name] for line in log_length.LINES if not line.judged) > 0


def test_what_processes_share_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walls, "SUBSCRIBERS", (1, 2))
    monkeypatch.setattr(walls, "WRITERS", (2,))
    redis = walls.measure_redis("redis", TINY, lambda text: None)
    assert all(point.figures[walls.REDIS_CPU.name] > 0 for point in redis.points)
    if postgres_program() is not None:
        [point] = walls.measure_postgres("postgres", TINY, lambda text: None).points
        assert min(point.figures.values()) > 0


def measured() -> dict[tuple[str, str], float]:
    """The last full run; of several figures with the same name, the first."""
    rows = reversed(ROW.findall((RESULTS / "latest.md").read_text()))
    return {(title.strip(), name.strip()): float(value) for title, name, value in rows}


@pytest.mark.parametrize(
    ("title", "streams"),
    [("scaling, two processes", 2 * STREAMS), (f"scaling, two processes, {STREAMS} streams together", STREAMS)],
)
def test_two_processes_cost_what_they_were_measured_to_cost(title: str, streams: int) -> None:
    of = costs((RESULTS / "latest.md").read_text())
    simulated_us = simulate(Site(2, streams, EVENTS_PER_SECOND), of).cpu_per_delivery * 1e6
    assert simulated_us == pytest.approx(measured()[title, CPU], rel=0.15)


def test_a_site_has_as_few_processes_as_leave_room() -> None:
    # One more than can hold all of them.
    assert [processes_for(streams, 0.1, OF) for streams in (1_000, 50_000, 50_001)] == [2, 2, 3]
    enough = processes_for(100_000, 20, OF)
    assert Site(enough, 100_000, 20).share(OF) <= 0.7 < Site(enough - 1, 100_000, 20).share(OF)
    with pytest.raises(ValueError, match="hears of"):
        processes_for(1_000, 3_000, OF)


def test_with_more_processes_a_crowd_is_back_sooner() -> None:
    few, many = (simulate(Site(processes, 100_000, 2), OF) for processes in (3, 30))
    assert many.all_back_seconds < few.all_back_seconds / 5
    assert many.longest_behind_seconds < few.longest_behind_seconds


def test_with_one_process_there_is_no_crowd_to_come_back() -> None:
    alone = simulate(Site(1, 100, 20), OF)
    assert (alone.all_back_seconds, alone.longest_behind_seconds) == (0, 0)
    assert alone.highest_share == pytest.approx(Site(1, 100, 20).share(OF), rel=0.01)


@pytest.mark.parametrize(
    ("site", "name"),
    [(Site(2, 10_000, 10), "the processes"), (Site(2, 10, 100), "PostgreSQL"), (Site(5_000, 10, 400), "Redis")],
    ids=["processes", "commits", "redis"],
)
def test_what_is_used_up_first_is_named(site: Site, name: str) -> None:
    shared = Walls(message=1e-6, heard=1e-6, commits_per_second=500 if name != "Redis" else 1e6)
    assert breaks_first(site, OF, shared).startswith(name)


def test_the_table_of_large_sites_is_what_the_model_says() -> None:
    text = (ROOT / "docs" / "large-sites.md").read_text()
    curves = json.loads((RESULTS / "curves.json").read_text())["curves"]
    assert site_page.written(text, (RESULTS / "latest.md").read_text(), curves) == text
