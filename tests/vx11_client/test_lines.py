"""Lines of logs as they are: each of tests/data/lines.toml becomes the event that stands beside it."""

import datetime
import re
import time
import tomllib
import zoneinfo
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers import ROOT
from vx11_client import exact_json
from vx11_client.feeding.feed_mapping import FITTED_EVENT_BYTES, FeedMapping, Fields
from vx11_client.formats.format_reader import FormatReader
from vx11_client.lines.line import Line, LineSplitter
from vx11_client.lines.records import RULES, RecordJoiner
from vx11_client.wire_limits import SEVERITIES, SUMMARY_LIMIT_CHARACTERS

CASES: list[dict[str, Any]] = tomllib.loads((ROOT / "tests/data/lines.toml").read_text(encoding="utf-8"))["line"]
NOW = datetime.datetime(2026, 2, 1, 12, 0, tzinfo=datetime.UTC)


def content_of(case: dict[str, Any]) -> bytes:
    if "python" not in case:
        return case["text"].encode()
    # Our own file, and nothing but literals and operators.
    content = eval(case["python"], {"__builtins__": {}})  # noqa: S307
    assert isinstance(content, bytes)
    return content


def events_of(content: bytes, options: dict[str, Any]) -> list[Fields]:
    """What the lines become when they come in one piece, as those of a file do."""
    zone = zoneinfo.ZoneInfo(options.get("timezone", "UTC"))
    mapping = FeedMapping(guess_severity=True, timezone=zone, levels=options.get("levels"), clock=lambda: NOW)
    joiner = RecordJoiner(rule=options.get("multiline", "auto"))
    splitter = LineSplitter()
    formats = FormatReader(csv=options.get("csv", "auto"))
    lines = [line for _, line in (*splitter.feed(content), *splitter.flush())]
    found = [part for line in lines for part in formats.feed(line)] + formats.flush()
    records = [*joiner.feed(found, now=0.0), *joiner.flush()]
    return [event for record in records if (event := mapping.event(record)) is not None]


@pytest.mark.parametrize("case", CASES, ids=[case["kind"].replace(" ", "-") for case in CASES])
def test_a_line_becomes_the_event_that_stands_beside_it(case: dict[str, Any]) -> None:
    expected = case.get("events", [case])
    events = events_of(content_of(case), case.get("options", {}))
    compared = [name for name in ("summary", "payload", "event_type") if any(name in item for item in expected)]
    found = [
        {"severity": event.get("severity"), "time": event.get("occurred_at")}
        | {name: event.get(name) for name in compared if name in item}
        for event, item in zip(events, expected, strict=True)
    ]
    assert found == [
        {"severity": item.get("severity"), "time": item.get("time")}
        | {name: item[name] for name in compared if name in item}
        for item in expected
    ]


WORDS = sorted({word for case in CASES for word in re.split(r"(\s+|[\[\]{}:,|\"])", case.get("text", "")) if word})


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30), st.sampled_from(RULES))
def test_whatever_is_put_together_of_them_becomes_events_that_the_server_can_take(words: list[str], rule: str) -> None:
    for event in events_of("".join(words).encode(), {"multiline": rule, "levels": "syslog"}):
        summary, moment = event["summary"], event.get("occurred_at")
        assert isinstance(summary, str)
        assert 1 <= len(summary) <= SUMMARY_LIMIT_CHARACTERS
        assert event.get("severity", "info") in SEVERITIES
        assert moment is None or datetime.datetime.fromisoformat(str(moment)).utcoffset() == datetime.timedelta()
        assert len(exact_json.dumps(event)) <= FITTED_EVENT_BYTES


@pytest.mark.parametrize(
    "unit",
    ["[", "<1>", "- | ", "01:", "Jan ", '{"a":', '{"a":[', '",', "a=", 'a="', "\x1b]", "\x9d", "#033["]
    + ["CEF:0|", "CEF:0|a|b|c|d|e|5| a=", "CEF:0|\\|", "CEF:0|a|b|c|d|e|5|a\\="],
)
def test_a_line_takes_time_in_proportion_to_its_length(unit: str) -> None:
    """As tests/vx11_site/test_linear_patterns.py asks of each pattern; this asks it of all of them together."""

    def seconds(length: int) -> float:
        content = (unit * (length // len(unit)))[:length].encode()
        line = Line(content, len(content) + 1, tail=content[:4096])
        started = time.thread_time()
        for _ in range(3):
            FeedMapping(guess_severity=True).event(line)
        return time.thread_time() - started

    seconds(1000)
    assert seconds(160_000) < max(0.5, 12 * seconds(40_000))


@pytest.mark.parametrize("unit", ['"', '""', ',"', ",", "a,", '",', "\n", '"\n', ',"\n', 'a,"', "time,level,message\n"])
def test_a_table_takes_time_in_proportion_to_its_length(unit: str) -> None:
    def seconds(length: int) -> float:
        content = b"time,level,message\n" + (unit * (length // len(unit))).encode()
        started = time.thread_time()
        events_of(content, {})
        return time.thread_time() - started

    seconds(1000)
    assert seconds(80_000) < max(1.0, 12 * seconds(20_000))


def test_the_kinds_of_lines_are_many_and_each_has_a_name() -> None:
    names = [case["kind"] for case in CASES]
    assert len(names) >= 120
    assert len(set(names)) == len(names)
