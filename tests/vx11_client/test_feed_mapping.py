"""What a line becomes."""

import datetime
import json
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.log.submissions import SUMMARY_LIMIT
from vx11_client import exact_json
from vx11_client.errors import InvalidSettings
from vx11_client.feeding.feed_mapping import FITTED_EVENT_BYTES, FeedMapping, Fields
from vx11_client.lines.line import LINE_LIMIT_BYTES, Line


def event_of(content: bytes | str, *, dropped_bytes: int = 0, **options: object) -> Fields:
    data = content.encode() if isinstance(content, str) else content
    event = FeedMapping(**{"timezone": datetime.UTC, **options}).event(Line(data, len(data) + dropped_bytes))  # type: ignore[arg-type]
    assert event is not None
    return event


@pytest.mark.parametrize("blank", [b"", b"   ", b"\t\r", b"\0\0\0", b"\x1b[0m"])
def test_a_blank_line_is_no_event(blank: bytes) -> None:
    assert FeedMapping().event(Line(blank, len(blank))) is None


def test_a_scale_that_is_unknown_is_refused_at_once() -> None:
    with pytest.raises(InvalidSettings, match="0-4"):
        FeedMapping(levels="loud")


def test_times_without_a_zone_are_of_this_machine_s_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        event = FeedMapping().event_of_text("2026-01-04 01:34:28 hello") or {}
    finally:
        monkeypatch.undo()
        time.tzset()
    assert event["occurred_at"] == "2026-01-03T16:34:28+00:00"


class TestText:
    def test_a_line_is_the_summary_of_an_event(self) -> None:
        assert event_of("Größe übersteigt 5 €") == {"event_type": "log.line", "summary": "Größe übersteigt 5 €"}

    def test_options_say_what_the_line_does_not(self) -> None:
        event = event_of("x", module="nginx", severity="warn", event_type="nginx.error")
        assert event == {"event_type": "nginx.error", "summary": "x", "module": "nginx", "severity": "warn"}

    def test_a_line_that_fits_has_no_payload_and_a_longer_one_is_whole_in_it(self) -> None:
        assert "payload" not in event_of("x" * SUMMARY_LIMIT)
        line = "é" * (SUMMARY_LIMIT + 1)
        event = event_of(line)
        assert event["summary"] == line[:-1]
        assert event["payload"] == {"line": line, "line_bytes": len(line.encode())}

    def test_what_would_drive_a_terminal_is_gone_and_the_rest_stays(self) -> None:
        event = event_of("\x1b[1;31mERROR\x1b[0m disk\tfull\x07 \x1b]0;title\x07now \x9b2J")
        assert event["summary"] == "ERROR disk full\ufffd now"

    def test_bytes_that_are_not_utf8_are_marked(self) -> None:
        assert event_of(b"caf\xe9 closed")["summary"] == "caf\ufffd closed"

    @pytest.mark.parametrize("line", ["42", '"text"', "[1, 2]", "{not json}", '{"a": NaN}', '{"a": "\\ud800"}', "null"])
    def test_json_that_is_no_object_is_text(self, line: str) -> None:
        assert event_of(line) == {"event_type": "log.line", "summary": line}

    def test_a_line_that_was_cut_while_reading_says_how_long_it_was(self) -> None:
        event = event_of(b"x" * LINE_LIMIT_BYTES, dropped_bytes=5)
        payload = event["payload"]
        assert isinstance(payload, dict)
        assert payload["line_bytes"] == LINE_LIMIT_BYTES + 5
        assert len(orjson.dumps(event)) <= FITTED_EVENT_BYTES
        # As much as fits, not just a little.
        assert len(payload["line"]) > FITTED_EVENT_BYTES - 1000


class TestEvents:
    def test_an_event_passes_as_it_stands(self) -> None:
        event = {
            "event_id": "own.1",
            "event_type": "drift",
            "summary": "moved",
            "severity": "critical",
            "module": "hormiguero",
            "payload": {"deep": [1, None, {"a": "b"}]},
            "correlation_id": "c-1",
            "occurred_at": "2026-01-04T01:34:28.123456Z",
        }
        assert event_of(orjson.dumps(event), module="other", severity="info", event_type="other") == event

    def test_options_fill_what_an_event_leaves_out(self) -> None:
        event = event_of('{"event_type": "a", "summary": "b", "occurred_at": null}', module="m", severity="error")
        assert event == {"event_type": "a", "summary": "b", "module": "m", "severity": "error"}

    def test_keys_that_no_event_has_go_into_the_payload_and_take_nothing_s_place(self) -> None:
        event = event_of('{"event_type": "a", "summary": "b", "host": "h", "x": 1, "payload": {"x": 2}}')
        assert event["payload"] == {"host": "h", "x": 2}

    def test_what_one_server_sent_another_one_takes(self) -> None:
        sent = {"type": "event", "event_id": "e1", "seq": 7, "event_type": "a", "summary": "b", "module": "m"}
        sent |= {"severity": "info", "correlation_id": "c", "payload": {"x": 1}, "created_at": "2026-01-04T01:34:28Z"}
        event = event_of(orjson.dumps(sent | {"occurred_at": None}))
        assert event == {name: sent[name] for name in sent if name not in ("type", "seq", "created_at")}


class TestJson:
    def test_an_object_is_the_payload_of_an_event(self) -> None:
        line = {"message": "disk full", "level": "error", "disk": {"free": 0}}
        event = event_of(orjson.dumps(line))
        assert event == {"event_type": "log.line", "summary": "disk full", "severity": "error", "payload": line}

    @pytest.mark.parametrize(
        ("line", "summary"),
        [
            ('{"msg": "a"}', "a"),
            ('{"message": "", "msg": "b"}', "b"),
            ('{"event": "structlog says"}', "structlog says"),
            ('{"MESSAGE": [99, 97, 102, 233, 10]}', "caf\ufffd"),
            ('{"MESSAGE": null, "n": 1}', '{"MESSAGE": null, "n": 1}'),
            ('{"message": "two\\nlines\\u0000"}', "two lines\ufffd"),
            ('{"event_type": "a"}', '{"event_type": "a"}'),
        ],
    )
    def test_the_summary_is_the_message(self, line: str, summary: str) -> None:
        assert event_of(line)["summary"] == summary

    def test_a_long_message_is_cut_in_the_summary_and_whole_in_the_payload(self) -> None:
        event = event_of(orjson.dumps({"msg": "é" * 600}))
        assert event["summary"] == "é" * SUMMARY_LIMIT
        assert event["payload"] == {"msg": "é" * 600}

    @pytest.mark.parametrize(
        ("fields", "severity"),
        [
            ({"level": "WARNING"}, "warn"),
            ({"severity": "fatal"}, "critical"),
            ({"levelname": "DEBUG"}, "info"),
            ({"PRIORITY": "3"}, "error"),
            ({"PRIORITY": "2"}, "critical"),
            ({"PRIORITY": "6"}, "info"),
            ({"level": 30, "pid": 7, "hostname": "h"}, "info"),
            ({"level": 40, "pid": 7, "hostname": "h"}, "warn"),
            ({"level": 50, "pid": 7, "hostname": "h"}, "error"),
            ({"level": 60, "pid": 7, "hostname": "h"}, "critical"),
            ({"level": "loud", "PRIORITY": "4"}, "warn"),
            # A number alone is on any of five scales.
            ({"level": 1}, None),
            ({"level": 40}, None),
            ({"level": True}, None),
            ({"level": -1}, None),
            ({"level": "loud"}, None),
            ({}, None),
        ],
    )
    def test_the_severity_is_what_the_object_calls_it(self, fields: dict[str, object], severity: str | None) -> None:
        assert event_of(orjson.dumps({"msg": "x", **fields})).get("severity") == severity

    def test_a_severity_that_is_known_beats_the_option_and_an_unknown_one_does_not(self) -> None:
        assert event_of('{"level": "error"}', severity="warn")["severity"] == "error"
        assert event_of('{"level": "loud"}', severity="warn")["severity"] == "warn"

    @pytest.mark.parametrize(
        ("fields", "moment"),
        [
            ({"__REALTIME_TIMESTAMP": "1767490468123456"}, "2026-01-04T01:34:28.123456+00:00"),
            ({"time": 1767490468123}, "2026-01-04T01:34:28.123000+00:00"),
            ({"ts": 1767490468.5}, "2026-01-04T01:34:28.500000+00:00"),
            ({"@timestamp": "2026-01-04T02:34:28+01:00"}, "2026-01-04T01:34:28+00:00"),
            ({"timestamp": "2026-01-04T01:34:28Z"}, "2026-01-04T01:34:28+00:00"),
            # Without a zone it is that of the option, here UTC.
            ({"time": "2026-01-04 01:34:28"}, "2026-01-04T01:34:28+00:00"),
            # Seconds since boot, a sentinel, and what is no time.
            ({"ts": 1234.5}, None),
            ({"ts": 1e300}, None),
            ({"time": True}, None),
            ({"__REALTIME_TIMESTAMP": "9" * 40}, None),
        ],
    )
    def test_the_time_is_taken_when_there_is_no_doubt_about_it(
        self, fields: dict[str, object], moment: str | None
    ) -> None:
        assert event_of(orjson.dumps({"msg": "x", **fields})).get("occurred_at") == moment

    def test_what_the_server_could_not_store_is_marked_in_values_and_names(self) -> None:
        event = event_of('{"msg": "x", "a\\u0000": ["b\\u0000", {"c": "\\u0000"}]}')
        assert event["payload"] == {"msg": "x", "a\ufffd": ["b\ufffd", {"c": "\ufffd"}]}

    @pytest.mark.parametrize("depth", [30, 500, 5000])
    def test_json_that_is_nested_too_deep_for_the_server_is_text(self, depth: int) -> None:
        line = '{"a":' * depth + "1" + "}" * depth
        assert event_of(line)["summary"] == line[:SUMMARY_LIMIT]
        assert event_of('{"event_type": "a", "summary": "b", "payload": ' + line + "}")["event_type"] == "log.line"

    def test_an_object_that_is_too_large_keeps_its_fields_and_the_start_of_the_line(self) -> None:
        line = orjson.dumps({"msg": "big", "level": "error", "blob": '"\n' * 40_000}).decode()
        event = event_of(line)
        assert (event["summary"], event["severity"]) == ("big", "error")
        payload = event["payload"]
        assert isinstance(payload, dict)
        assert payload["line_bytes"] == len(line)
        assert line.startswith(payload["line"])
        assert FITTED_EVENT_BYTES - 10 <= len(orjson.dumps(event)) <= FITTED_EVENT_BYTES


class TestGuessing:
    @pytest.mark.parametrize(
        ("line", "severity"),
        [
            ("2026-01-04 01:34:28,123 ERROR in worker", "error"),
            ("2026/01/04 01:34:28 [warn] 12#12: low on connections", "warn"),
            ("[crit] 1#1: no", "critical"),
            ("fatal: not a git repository", "critical"),
            ("Error: no such thing", "error"),
            ('t=1 level=warning msg="slow"', "warn"),
            ("WARN then ERROR", "warn"),
            ("<notice> hello", "info"),
            ("no error found", None),
            ("terrors: many", None),
            ("x" * 200 + " ERROR", None),
        ],
    )
    def test_a_label_is_a_severity_and_a_word_in_a_sentence_is_not(self, line: str, severity: str | None) -> None:
        assert event_of(line, guess_severity=True).get("severity") == severity

    def test_nothing_is_guessed_unless_it_is_asked_for(self) -> None:
        assert "severity" not in event_of("ERROR in worker")

    def test_a_message_in_json_is_guessed_from_when_the_object_says_nothing(self) -> None:
        assert event_of('{"msg": "ERROR in worker"}', guess_severity=True)["severity"] == "error"
        assert event_of('{"msg": "ERROR in worker", "level": "info"}', guess_severity=True)["severity"] == "info"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(st.binary(max_size=2000) | st.dictionaries(st.text(), json_values).map(lambda value: json.dumps(value).encode()))
def test_every_line_becomes_an_event_that_the_server_can_take(content: bytes) -> None:
    event = FeedMapping(guess_severity=True).event(Line(content, len(content)))
    if event is None:
        return
    summary = event["summary"]
    assert isinstance(summary, str)
    assert 1 <= len(summary) <= SUMMARY_LIMIT
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in summary)
    sent = exact_json.dumps(event)
    assert len(sent) <= FITTED_EVENT_BYTES
    assert b"\\u0000" not in sent.replace(b"\\\\", b"")
