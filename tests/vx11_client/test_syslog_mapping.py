"""What a record of syslog becomes: an event that the server takes, whatever the sender wrote."""

import datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log import submissions
from vx11_client import exact_json
from vx11_client.spool.records import SyslogRecord, Transport
from vx11_client.syslog.mapping import SyslogMapping
from vx11_client.wire_limits import EVENT_LIMIT_BYTES, SEVERITIES, SUMMARY_LIMIT_CHARACTERS

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
RECEIVED_US = 1_772_366_400_250_000
MAPPING = SyslogMapping(module="net", timezone=datetime.UTC, clock=lambda: NOW)
HEAD = b"<11>1 2026-01-04T01:34:28Z h app 7 ID - "


def record(content: bytes, *, total_bytes: int = 0, transport: Transport = Transport.TCP) -> SyslogRecord:
    return SyslogRecord(content, total_bytes or len(content), RECEIVED_US, "10.0.0.1", transport)


def event(content: bytes, **kind) -> dict:
    return MAPPING.event(record(content, **kind))


def test_the_header_is_in_fields_and_in_the_payload() -> None:
    assert event(b'<11>1 2026-01-04T01:34:28.5+01:00 web-1 app 7 ID [a@1 b="c"] no disk') == {
        "event_type": "syslog.message",
        "summary": "no disk",
        "severity": "error",
        "module": "net",
        "occurred_at": "2026-01-04T00:34:28.500000+00:00",
        "payload": {
            "syslog": {
                "transport": "tcp",
                "peer": "10.0.0.1",
                "facility": "user",
                "level": "err",
                "host": "web-1",
                "app": "app",
                "procid": "7",
                "msgid": "ID",
                "structured_data": {"a@1": {"b": "c"}},
            }
        },
    }


def test_what_does_not_say_when_is_of_the_time_of_its_receipt() -> None:
    found = event(b"words", transport=Transport.UDP)
    assert found["occurred_at"] == "2026-03-01T12:00:00.250000+00:00"
    assert (found["severity"], found["summary"]) == ("info", "words")
    assert found["payload"] == {"syslog": {"transport": "udp", "peer": "10.0.0.1"}}
    # Unless the text itself says so.
    assert event(b"<13>2026/01/04 01:34:28 started")["occurred_at"] == "2026-01-04T01:34:28+00:00"


@pytest.mark.parametrize("prefix", [b"", b"@cee: ", b"@cee:"])
def test_json_behind_the_header_is_read_and_says_more_than_the_header(prefix: bytes) -> None:
    found = event(HEAD + prefix + b'{"level": "warn", "msg": "slow", "time": "2026-01-04T01:00:00Z", "n": 1}')
    assert (found["summary"], found["severity"]) == ("slow", "warn")
    assert found["occurred_at"] == "2026-01-04T01:00:00+00:00"
    assert found["payload"]["n"] == 1
    assert found["payload"]["syslog"]["app"] == "app"


def test_cef_behind_the_header_is_read() -> None:
    found = event(HEAD + b"CEF:0|maker|wall|1|100|port scan|9|src=10.0.0.7")
    assert (found["summary"], found["severity"]) == ("port scan", "critical")
    assert found["payload"]["src"] == "10.0.0.7"


def test_a_sender_chooses_no_type_module_or_id_of_an_event() -> None:
    own = {"event_type": "watch.fired", "summary": "forged", "module": "other", "event_id": "x", "correlation_id": "y"}
    found = event(HEAD + orjson.dumps(own | {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1767490471000000"}))
    assert (found["event_type"], found["module"], found["summary"]) == ("syslog.message", "net", "forged")
    assert "event_id" not in found
    assert "correlation_id" not in found
    assert found["payload"]["event_type"] == "watch.fired"


def test_a_field_of_the_sender_s_does_not_hide_the_header() -> None:
    found = event(HEAD + b'{"msg": "x", "syslog": {"peer": "forged"}}')
    assert found["payload"]["syslog"]["peer"] == "10.0.0.1"
    assert found["payload"]["syslog_"] == {"peer": "forged"}


def test_a_long_text_and_one_of_several_lines_are_whole_in_the_payload() -> None:
    text = "x" * (SUMMARY_LIMIT_CHARACTERS + 1)
    assert event(HEAD + text.encode())["payload"]["line"] == text
    assert "line" not in event(HEAD + text[:-1].encode())["payload"]
    found = event(HEAD + b"\n\nTraceback:\n  line 1")
    assert found["summary"] == "Traceback:"
    assert found["payload"]["line"] == "\n\nTraceback:\n  line 1"


def test_a_record_that_was_cut_says_how_long_it_was() -> None:
    payload = event(HEAD + b"only a part", total_bytes=9000)["payload"]
    assert (payload["line"], payload["line_bytes"]) == ("only a part", 9000)
    payload = event(HEAD + b'{"msg": "a part of js', total_bytes=9000)["payload"]
    assert payload["line_bytes"] == 9000


def test_bytes_that_are_no_text_and_controls_are_shown_as_such() -> None:
    found = event(b"<13>1 - h\xff a - - - caf\xe9 \x1b[31mred\x1b[0m \x07 a\x00b")
    assert found["summary"] == "caf\ufffd red \ufffd a\ufffdb"
    assert found["payload"]["syslog"]["host"] == "h\ufffd"


@pytest.mark.parametrize(
    ("content", "summary"),
    [(b"<13>1 - h app - ID -", "app ID"), (b"<13>", "(no text)"), (b"<13>1 - - - - - - \x1b[0m", "(no text)")],
)
def test_a_record_without_text_has_a_summary(content: bytes, summary: str) -> None:
    assert event(content)["summary"] == summary


def test_the_largest_record_becomes_an_event_that_the_server_takes() -> None:
    for content in (
        b"<13>1 - h a p m - " + b"\x01" * 65_500,
        b'<13>1 - h a p m [s x="' + b"\x01" * 65_000 + b'"] text',
        b'{"a":"' + b"\xff" * 65_500 + b'"}',
        ("<13>" + "\u20ac" * 21_000).encode(),
    ):
        found = event(content)
        assert len(orjson.dumps(found)) < EVENT_LIMIT_BYTES
        assert found["payload"]["line_bytes"] == len(content)
        assert len(found["payload"]["line"]) > 5000
        assert found["payload"]["syslog"]["peer"] == "10.0.0.1"


def assert_taken(content: bytes) -> None:
    """As it goes over the wire, and as the server checks it."""
    found = event(content)
    assert found["severity"] in SEVERITIES
    assert 0 < len(found["summary"]) <= SUMMARY_LIMIT_CHARACTERS
    body = exact_json.dumps(found).decode()
    submissions.read_event(exact_json.loads(body), submissions.Defaults(module="x", correlation_id="y"))


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: HEAD + data))
def test_the_server_takes_whatever_comes(content: bytes) -> None:
    assert_taken(content)


@pytest.mark.parametrize("inner", [b"[" * 500, b'{"a":' * 500, b'{"n":123456789012345678901234567890}', b'{"e":1e999}'])
def test_json_that_the_server_would_refuse_is_text_or_mended(inner: bytes) -> None:
    assert_taken(HEAD + b'{"msg":' + inner)
    assert_taken(HEAD + inner)


def test_a_record_that_cannot_be_read_is_text_and_stops_nothing() -> None:
    def broken() -> datetime.datetime:
        raise RuntimeError("no clock")

    text = "<11>Jan  4 01:34:28 h app: x"
    found = SyslogMapping(clock=broken).event(record(text.encode()))
    header = {"transport": "tcp", "peer": "10.0.0.1"}
    assert found["summary"] == text
    assert found["payload"] == {"line": text, "line_bytes": len(text), "syslog": header}


def test_what_the_receiver_says_itself_is_of_a_type_of_its_own() -> None:
    content = orjson.dumps({"summary": "3 records are missing", "payload": {"dropped": 3}})
    found = event(content, transport=Transport.OWN)
    assert (found["event_type"], found["severity"], found["module"]) == ("syslog.dropped", "warn", "net")
    assert (found["summary"], found["payload"]) == ("3 records are missing", {"dropped": 3})
