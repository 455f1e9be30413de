"""Lines of logs as they are: each of tests/data/lines.toml becomes the event that stands beside it."""

import datetime
import tomllib
import zoneinfo
from typing import Any

import pytest

from tests.servers import ROOT
from vx11_client.feeding.feed_mapping import FeedMapping, Fields
from vx11_client.lines.line import LineSplitter
from vx11_client.lines.records import RecordJoiner

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
    found = [line for _, line in (*splitter.feed(content), *splitter.flush())]
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


def test_the_kinds_of_lines_are_many_and_each_has_a_name() -> None:
    names = [case["kind"] for case in CASES]
    assert len(names) >= 120
    assert len(set(names)) == len(names)
