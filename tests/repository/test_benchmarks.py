"""The benchmarks still run and report. How fast anything is, they say themselves; nothing here is timed."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import machine, report, suite
from benchmarks.figures import Figure, latency
from benchmarks.server import Target, serving
from benchmarks.size import Size
from benchmarks.wire import Answer, AnswerReader, UnexpectedAnswer, request
from tests.repository.tree import ROOT

TINY = Size(ticket_seconds=0.2, fanout_seconds=0.3, streams=2, publish_seconds=0.2, redemptions=4, warm_up_requests=2)
MEASURED = b"HTTP/1.1 201 Created\r\nContent-Length: 11\r\nServer: x\r\n\r\nhello world"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with serving() as started:
        yield started


# What differs on PostgreSQL is the server, not the measurement, and not every machine that runs this has one.
@pytest.mark.parametrize("name", [name for name, measurement in suite.SUITE.items() if not measurement.on_postgres])
def test_a_benchmark_has_figures_of_a_real_server(name: str, target: Target) -> None:
    figures = {figure.name: figure for figure in suite.SUITE[name].measure(target, TINY)}
    assert all(math.isfinite(figure.value) and figure.value >= 0 for figure in figures.values())
    assert any("p95" in name and figure.value > 0 for name, figure in figures.items())


def test_the_fan_out_counts_what_every_stream_received(target: Target) -> None:
    figures = {figure.name: figure.value for figure in suite.SUITE["fanout"].measure(target, TINY)}
    assert (figures["received"], figures["lost"], figures["received twice"]) == (6, 0, 0)
    assert figures["server memory with 2 streams"] > 1


def test_the_suite_starts_a_server_says_so_and_stops_it() -> None:
    said: list[str] = []
    results = suite.run(["redeem"], TINY, announce=said.append)
    assert list(results) == [suite.SUITE["redeem"].title]
    pid = int(said[-1].rpartition(" ")[2])
    assert not Path(f"/proc/{pid}").exists()


def test_every_benchmark_is_documented() -> None:
    text = (ROOT / "docs/benchmarks.md").read_text()
    assert [name for name in suite.SUITE if f"`{name}`" not in text] == []


def test_the_command_line_offers_every_benchmark() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert [name for name in suite.SUITE if name not in done.stdout] == []


@pytest.mark.parametrize("answer", [MEASURED, CHUNKED], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 1000])
def test_an_answer_is_the_same_however_its_bytes_are_cut(answer: bytes, piece_bytes: int) -> None:
    reader = AnswerReader()
    body = b""
    for start in range(0, len(answer), piece_bytes):
        assert not reader.complete
        body += reader.feed(answer[start : start + piece_bytes])
    assert (reader.status, reader.complete, body) == (201, True, b"hello world")


def test_an_answer_without_a_body_is_complete_with_its_head() -> None:
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 204 No Content\r\n\r\n") == b""
    assert (reader.status, reader.complete) == (204, True)


def test_a_refusal_ends_the_measurement_and_is_shown() -> None:
    with pytest.raises(UnexpectedAnswer, match="429 instead of 200: .*rate_limited"):
        Answer(429, b'{"reason": "rate_limited"}').expect(200)


def test_a_request_says_how_long_its_body_is() -> None:
    head, _, body = request("POST", "/x", token="t", body={"a": "é"}).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Content-Length: %d" % len(body) in head.split(b"\r\n")
    assert json.loads(body) == {"a": "é"}


def test_percentiles_are_of_all_latencies_in_milliseconds() -> None:
    figures = {figure.name: figure.value for figure in latency("x", [n / 1000 for n in range(101)], worst=True)}
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
    assert ["python", described["python"]] in cells


def test_the_json_holds_what_the_table_says() -> None:
    data = report.as_json({"python": "3"}, {"publishing": [Figure("rate", 799, "/s", at_least=800)]})
    (figure,) = json.loads(json.dumps(data))["results"]["publishing"]
    assert (figure["name"], figure["value"], figure["at_least"], figure["met"]) == ("rate", 799, 800, False)
