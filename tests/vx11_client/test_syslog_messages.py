"""What a record of syslog says: both RFCs with their own examples, what devices send, and what nobody should send."""

import datetime
import time
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vx11_client.lines.moments import Clock
from vx11_client.syslog.messages import FACILITIES, LEVELS, SyslogMessage, read_message

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
MADRID = zoneinfo.ZoneInfo("Europe/Madrid")


def read(text: str, zone: datetime.tzinfo = datetime.UTC) -> SyslogMessage:
    return read_message(text, Clock(zone, lambda: NOW))


def said(message: SyslogMessage) -> dict[str, object]:
    """What is not empty."""
    found = {name: getattr(message, name) for name in SyslogMessage.__slots__}
    if message.moment:
        found["moment"] = message.moment.astimezone(datetime.UTC).isoformat().removesuffix("+00:00")
    return {name: value for name, value in found.items() if value}


SU = {"severity": "critical", "facility": "auth", "level": "crit"}
NOTICE = {"severity": "info", "facility": "local4", "level": "notice"}
USER = {"severity": "info", "facility": "user", "level": "notice"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 5424, 6.5.
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick",
            SU
            | {"moment": "2003-10-11T22:14:15.003000", "host": "mymachine.example.com", "app": "su", "msgid": "ID47"}
            | {"text": "'su root' failed for lonvick"},
        ),
        (
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
            NOTICE
            | {"moment": "2003-08-24T12:14:15.000003", "host": "192.0.2.1", "app": "myproc", "procid": "8710"}
            | {"text": "%% It's time to make the do-nuts."},
        ),
        (
            '<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" '
            'eventID="1011"][examplePriority@32473 class="high"]',
            NOTICE
            | {"moment": "2003-10-11T22:14:15.003000", "host": "m", "app": "evntslog", "msgid": "ID47"}
            | {
                "structured_data": {
                    "exampleSDID@32473": {"iut": "3", "eventSource": "Application", "eventID": "1011"},
                    "examplePriority@32473": {"class": "high"},
                }
            },
        ),
        # Escapes, a name twice, an element without parameters, brackets in a value.
        (
            r'<13>1 - - - - - [a x="\"\\\]" y="1" y="2" y="3"][b] text',
            USER | {"structured_data": {"a": {"x": '"\\]', "y": ["1", "2", "3"]}, "b": {}}, "text": "text"},
        ),
        (
            '<13>1 - - - - - [a x="it ] ends \\n"] [b] text',
            USER | {"structured_data": {"a": {"x": "it ] ends \\n"}}, "text": "[b] text"},
        ),
        # Structured data that is none is text.
        ('<13>1 - - - - - [a x="open text', USER | {"text": '[a x="open text'}),
        ('<13>1 - - - - - [a x="1"]text', USER | {"text": '[a x="1"]text'}),
        ("<13>1 - - - - - [] text", USER | {"text": "[] text"}),
        ("<13>1 - - - - - text", USER | {"text": "text"}),
        ("<13>1 - - - - -", USER),
        ("<13>1 - h a p m - \ufefftext", USER | {"host": "h", "app": "a", "procid": "p", "msgid": "m", "text": "text"}),
        # A time that is none.
        ("<13>1 2026-02-30T00:00:00Z h a - - - text", USER | {"host": "h", "app": "a", "text": "text"}),
        ("<13>1 yesterday h a - - - text", USER | {"host": "h", "app": "a", "text": "text"}),
        # RFC 3164, 5.4.
        (
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
            SU
            | {"moment": "2025-10-11T22:14:15", "host": "mymachine", "app": "su"}
            | {"text": "'su root' failed for lonvick on /dev/pts/8"},
        ),
        (
            "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
            USER | {"moment": "2026-02-05T17:32:18", "host": "10.0.0.99", "text": "Use the BFG!"},
        ),
        (
            "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time",
            NOTICE | {"host": "mymachine", "app": "myproc", "procid": "10", "text": "%% It's time"},
        ),
        # What rsyslog forwards, with the time of RFC 3339.
        (
            "<13>2026-01-04T01:34:28.123456+01:00 web-1 nginx[7]: started",
            USER
            | {
                "moment": "2026-01-04T00:34:28.123456",
                "host": "web-1",
                "app": "nginx",
                "procid": "7",
                "text": "started",
            },
        ),
        # Without a host, as programs write into /dev/log; without a time; without anything.
        (
            "<13>Jan  4 01:34:28 su[12]: opened",
            USER | {"moment": "2026-01-04T01:34:28", "app": "su", "procid": "12", "text": "opened"},
        ),
        (
            "<13>Jan  4 01:34:28 su: opened",
            USER | {"moment": "2026-01-04T01:34:28", "app": "su", "text": "opened"},
        ),
        ("<13>su[12]: opened", USER | {"app": "su", "procid": "12", "text": "opened"}),
        ("<13>words only", USER | {"text": "words only"}),
        ("error: no disk", {"text": "error: no disk"}),
        ("words only", {"text": "words only"}),
        ("Jan  4 01:34:28 h app: x", {"moment": "2026-01-04T01:34:28", "host": "h", "app": "app", "text": "x"}),
        # Cisco: a counter, a clock that is not set, milliseconds.
        (
            "<189>4711: *Jan  4 01:34:28.123: %SYS-5-CONFIG_I: Configured from console",
            {"severity": "info", "facility": "local7", "level": "notice", "moment": "2026-01-04T01:34:28.123000"}
            | {"app": "%SYS-5-CONFIG_I", "text": "Configured from console"},
        ),
        (
            "<189>4711: sw-1: Jan  4 01:34:28: %SYS-5-CONFIG_I: x",
            {"severity": "info", "facility": "local7", "level": "notice", "moment": "2026-01-04T01:34:28"}
            | {"host": "sw-1", "app": "%SYS-5-CONFIG_I", "text": "x"},
        ),
        # No priority: it is text.
        ("<192>text", {"text": "<192>text"}),
        ("<1234>text", {"text": "<1234>text"}),
        ("<>text", {"text": "<>text"}),
        ("<-1>text", {"text": "<-1>text"}),
        ("\ufeff<13>text", USER | {"text": "text"}),
        ("<013>text", USER | {"text": "text"}),
    ],
)
def test_a_record_is_read_as_it_is_written(text: str, expected: dict[str, object]) -> None:
    assert said(read(text)) == expected


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (0, "critical"),
        (1, "critical"),
        (2, "critical"),
        (3, "error"),
        (4, "warn"),
        (5, "info"),
        (6, "info"),
        (7, "info"),
    ],
)
def test_every_priority_has_its_facility_level_and_severity(level: int, severity: str) -> None:
    for facility, name in enumerate(FACILITIES):
        message = read(f"<{facility * 8 + level}>1 - - - - - - x")
        assert (message.facility, message.level, message.severity) == (name, LEVELS[level], severity)
    assert len(FACILITIES) == 24


def test_a_time_without_a_zone_is_of_the_zone_that_was_given() -> None:
    assert said(read("<13>Jan  4 01:34:28 h x", MADRID))["moment"] == "2026-01-04T00:34:28"
    assert said(read("<13>1 2026-01-04T01:34:28Z h x - - - y", MADRID))["moment"] == "2026-01-04T01:34:28"


def test_a_time_without_a_year_is_of_the_newest_year_that_is_not_ahead() -> None:
    assert said(read("<13>Dec 31 23:59:59 h x"))["moment"] == "2025-12-31T23:59:59"
    assert said(read("<13>Mar  1 12:00:01 h x"))["moment"] == "2026-03-01T12:00:01"


@given(st.text(max_size=60).map(lambda text: "<13>1 2026-01-04T01:34:28Z h a p m " + text) | st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    message = read(text)
    assert message.text == "" or message.text in text


@pytest.mark.parametrize(
    "text",
    [
        "<13>1 - - - - - " + '[a x="' * 10_000,
        '<13>1 - - - - - [a x="' + "\\" * 60_000,
        "<13>1 - - - - - [a" + " " * 60_000,
        "<13>1 - - - - - " + "[a]" * 20_000,
        "<13>" + " " * 60_000,
        "<13>" + "a" * 60_000,
        "<13>Jan  4 01:34:28 " + ":" * 60_000,
        "<13>" + "1" * 60_000,
    ],
)
def test_reading_takes_linear_time(text: str) -> None:
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 1
