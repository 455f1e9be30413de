"""What one request may cost the log: a bounded record, in either format, whatever its request line held."""

import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway import correlation, tokens
from vx11_site.logs.json import JsonFormatter
from vx11_site.logs.text import RedactingFormatter
from vx11_site.server import access_log
from vx11_site.server.http1 import Request

FORMATTERS = {"text": RedactingFormatter, "json": JsonFormatter}
TICKET = "550e8400-e29b-41d4-a716-446655440000"
HOSTILE = ["%", "%25", '"', "\\", "a", "&token=", "/vx11p_", "%22", "\x7f", "\xe4", "?", "<'>"]


class Lines(logging.Handler):
    """Keeps what was written, as bytes with their end of line."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[bytes] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{self.format(record)}\n".encode())


@pytest.fixture(params=FORMATTERS)
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    handler = Lines()
    handler.setFormatter(FORMATTERS[request.param]())
    reset = correlation.current.set("c" * 64)
    access_log.logger.addHandler(handler)
    yield handler
    access_log.logger.removeHandler(handler)
    correlation.current.reset(reset)


def note(target: bytes, method: bytes = b"GET") -> None:
    asked = SimpleNamespace(
        method=method, uri=target, code=404, body_bytes=10**12, duration=lambda: 86_400.0, requestHeaders=None
    )
    access_log.note(cast(Request, asked), whole=False)


@pytest.mark.parametrize("unit", HOSTILE)
def test_n01_a_record_of_the_access_log_is_bounded_whatever_was_asked_for(lines: Lines, unit: str) -> None:
    long = (unit * 16_000)[:16_000].encode("latin-1")
    note(b"/" + long)
    note(b"/?" + long, method=long)
    assert len(lines.found) == 2
    for line in lines.found:
        assert len(line) <= access_log.RECORD_LIMIT_BYTES
        assert line.isascii()
        assert line.count(b"\n") == 1


def test_a_usual_target_stands_there_whole(lines: Lines) -> None:
    target = b"/operator/api/events?module=a%20b&severity=warn,error&since=k7f3-1042"
    note(target)
    assert target in lines.found[0]


@pytest.mark.parametrize("cut_at", range(-8, 8))
def test_n01_a_credential_at_the_cut_is_not_left_in_half(lines: Lines, cut_at: int) -> None:
    filling = b"/?a=" + b"x" * (access_log.TARGET_LIMIT_CHARACTERS + cut_at - 30) + b"&b="
    for secret in (TICKET, tokens.mint("principal")):
        note(filling + secret.encode())
    assert not [
        line for line in lines.found if TICKET[:8].encode() in line or b"vx11p_" in line.replace(b"vx11p_***", b"")
    ]


def test_the_fields_of_a_json_record_are_whole_json() -> None:
    handler = Lines()
    handler.setFormatter(JsonFormatter())
    access_log.logger.addHandler(handler)
    note(b'/"\\' + b"x" * 20_000)
    access_log.logger.removeHandler(handler)
    record: dict[str, Any] = json.loads(handler.found[0])
    assert record["path"].startswith("/%22%5Cx")
    assert record["path"].endswith("characters)")
