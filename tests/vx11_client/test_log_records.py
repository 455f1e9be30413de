"""What a log record becomes is an event that the server takes, whatever is in it."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from events.log.submissions import Defaults, read_event
from vx11_client.feeding.log_records import EXTRA_VALUES, event_of_record, severity_of_level
from vx11_client.publishing.delivery import checked


def record(message: object = "text", **fields: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "a.b", "msg": message, "levelno": logging.ERROR, "levelname": "ERROR", **fields}
    )


def event(made: logging.LogRecord, **options: str) -> dict[str, Any]:
    """The event as the server reads it, which refuses what it cannot take."""
    sent: dict[str, Any] = orjson.loads(checked(event_of_record(made, **options)).body)
    read_event(sent, Defaults(module="m", correlation_id="c"))
    return sent


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (0, "info"),
        (20, "info"),
        (25, "info"),
        (30, "warn"),
        (35, "warn"),
        (40, "error"),
        (50, "critical"),
        (99, "critical"),
    ],
)
def test_levels_are_severities(level: int, severity: str) -> None:
    assert severity_of_level(level) == severity


def test_time_and_place_are_those_of_the_record() -> None:
    sent = event(record(created=1_767_490_468.5, pathname="/a.py", lineno=7, funcName="f", threadName="t", process=3))
    assert datetime.fromisoformat(sent["occurred_at"]) == datetime(2026, 1, 4, 1, 34, 28, 500_000, tzinfo=UTC)
    place = {
        "file": "/a.py",
        "line": 7,
        "function": "f",
        "thread": "t",
        "process": 3,
        "logger": "a.b",
        "level": "ERROR",
    }
    assert sent["payload"] == place


def test_a_summary_is_one_line_and_the_whole_message_is_in_the_payload() -> None:
    sent = event(record("\x1b[31mred\x1b[0m\nsecond\x00line"))
    assert sent["summary"] == "red second\ufffdline"
    assert sent["payload"]["message"] == "\x1b[31mred\x1b[0m\nsecond\ufffdline"
    long = event(record("x" * 600))
    assert (len(long["summary"]), len(long["payload"]["message"])) == (500, 600)
    assert event(record(""))["summary"] == "a.b"


def test_exception_and_stack_are_text() -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        sent = event(record(exc_info=sys.exc_info(), stack_info="Stack: here"))
    assert sent["payload"]["exception"].startswith("Traceback")
    assert sent["payload"]["exception"].endswith("ValueError: odd\nStack: here")


def test_extra_fields_are_in_the_payload_and_never_in_place_of_its_own() -> None:
    sent = event(record(order=7, logger="theirs", at=datetime(2026, 1, 4, tzinfo=UTC), tags={"a"}, none=None))
    assert sent["payload"] | {"order": 7, "extra_logger": "theirs", "tags": ["a"], "none": None} == sent["payload"]
    assert sent["payload"]["logger"] == "a.b"
    assert sent["payload"]["at"] == "2026-01-04T00:00:00+00:00"


@pytest.mark.parametrize("name", ["correlation_id", "event_type"])
def test_what_has_the_form_goes_into_the_event_and_all_else_stays_in_the_payload(name: str) -> None:
    sent = event(record(**{name: "order-1"}), module="shop", event_type="shop.log")
    assert sent[name] == "order-1"
    assert name not in sent["payload"]
    assert sent["module"] == "shop"
    other = event(record(**{name: "not a form!"}), event_type="shop.log")
    assert other["event_type"] == "shop.log"
    assert other["payload"][name] == "not a form!"


def nested(depth: int) -> object:
    return {"in": nested(depth - 1)} if depth else 1


def endless() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["self"] = [made] * 50
    return made


@pytest.mark.parametrize(
    "value",
    [
        2**70,
        float("nan"),
        float("inf"),
        b"bytes",
        "\ud800",
        "\0",
        object(),
        {1: {2.5: "\0"}},
        nested(100),
        endless(),
        list(range(5000)),
    ],
    ids=["whole", "nan", "inf", "bytes", "surrogate", "nul", "object", "keys", "deep", "endless", "many"],
)
def test_any_value_becomes_json_that_the_server_takes(value: object) -> None:
    found = event(record(value=value))["payload"]["value"]
    assert found is not None
    assert len(orjson.dumps(found)) < 60 * EXTRA_VALUES


def test_what_is_too_large_keeps_its_place_and_the_ends_that_matter() -> None:
    sent = event(
        record("start" + "é\x01" * 40_000, exc_text="x" * 90_000 + "ValueError: the end", big="y" * 90_000, small=1)
    )
    payload = sent["payload"]
    assert payload["message"].startswith("start")
    assert payload["exception"].endswith("ValueError: the end")
    assert payload["left_out"] == ["big", "small"]
    kept = event(record("z" * 90_000, small=1))["payload"]
    assert kept["small"] == 1
    assert kept["message"].startswith("zzz")
