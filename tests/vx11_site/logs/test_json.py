"""Log lines as JSON: one object each, whole and without credentials, whatever is in them."""

import contextvars
import datetime
import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import correlation, tokens
from ledger.reader import reader
from vx11_site.logs.json import JsonFormatter

TICKET = "550e8400-e29b-41d4-a716-446655440000"


def line_of(message: str, *args: object, exc_info: Any = None, **fields: object) -> dict[str, Any]:
    record = logging.LogRecord("test", logging.WARNING, __file__, 1, message, args, exc_info)
    record.fields = fields
    text = JsonFormatter().format(record)
    assert "\n" not in text
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_a_line_says_when_how_grave_who_and_what() -> None:
    line = line_of("%d streams", 3)
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "test", "3 streams")
    assert datetime.datetime.fromisoformat(line["time"]).tzinfo == datetime.UTC
    assert line["time"].endswith("Z")
    assert len(line["time"].partition(".")[2]) == len("123Z")


def test_a_line_of_no_request_has_no_correlation_id_and_one_of_a_request_has_its() -> None:
    # Whatever a test before this one has left here.
    assert "correlation_id" not in contextvars.Context().run(line_of, "x")
    reset = correlation.current.set("c-9")
    try:
        assert line_of("x")["correlation_id"] == "c-9"
    finally:
        correlation.current.reset(reset)


def test_an_exception_is_one_field_without_its_credentials() -> None:
    text = tokens.mint("principal")
    try:
        raise ValueError(f"bad token {text}")
    except ValueError:
        line = line_of("it failed", exc_info=sys.exc_info())
    assert line["exception"].startswith("Traceback")
    assert text not in line["exception"]
    assert line["message"] == "it failed"


def test_credentials_are_blotted_out_of_every_field() -> None:
    line = line_of(f"GET /x?token={TICKET}", path=f'/x?token={TICKET}"&b=2', status=200)
    assert TICKET not in json.dumps(line)
    assert line["path"] == '/x?token=***"&b=2'
    assert line["status"] == 200


@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=40))
def test_whatever_a_client_sends_is_one_line_of_json(message: str, path: str) -> None:
    line = line_of("%s", message, path=path)
    if message.isascii() and message.isalnum():
        assert line["message"] == message


@pytest.mark.parametrize("bad", ["\ud800", "a\x00b", "\u2028", 'a"b\\c'])
def test_odd_characters_do_not_break_a_line(bad: str) -> None:
    assert "path" in line_of("x", path=bad)


async def test_what_is_logged_in_a_thread_carries_the_id_of_its_request() -> None:
    correlation.current.set("c-thread")
    line = await reader.run(lambda: line_of("read"))
    assert line["correlation_id"] == "c-thread"


def test_n14_what_others_wrote_drives_no_terminal_and_reads_back_as_it_was() -> None:
    words = "a\x1b[2K\x7f\x85\u202e\u2028b"
    record = logging.LogRecord("test", logging.WARNING, __file__, 1, words, (), None)
    text = JsonFormatter().format(record)
    assert text.isprintable()
    assert json.loads(text)["message"] == words
