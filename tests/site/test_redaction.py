"""Log lines: no credential in any of them, wherever it stands."""

import logging
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from gateway import correlation, tokens
from gateway.headers import CREDENTIAL_KEYS
from vx11_site.logging import ExpectedFaults, RedactingFormatter, _given, redact

TICKET = "550e8400-e29b-41d4-a716-446655440000"
OWN = "a-token-of-the-environment"


@pytest.mark.parametrize(
    "line",
    [
        f"GET /operator/api/events/stream?token={TICKET} 200",
        f"GET /x?a=1&token={TICKET}&b=2",
        f"/x?TOKEN={OWN}",
        f"/x?access_token={OWN}",
        f"/x?X-VX11-Token={OWN}",
        f"/x?sse_token={TICKET}",
        f"/s?authorization=Bearer%20{OWN}",
        f"/s?to%6ben={OWN}",
        f"/s?acces%73_token={OWN}",
        f"curl -N 'http://h/stream?token={TICKET}' -H",
        *(f"/x?{name}={OWN}&b=2" for name in sorted(CREDENTIAL_KEYS)),
    ],
)
def test_a_credential_in_a_query_is_blotted_out(line: str) -> None:
    shown = redact(line)
    assert TICKET not in shown
    assert OWN not in shown
    assert "***" in shown


def test_a_ticket_is_blotted_out_under_whatever_name_it_was_typed() -> None:
    assert redact(f"/x?tokn={TICKET}&b=2") == "/x?tokn=***&b=2"
    # Which is what one looks for in a log.
    assert TICKET in redact(f"/operator/api/events?correlation_id={TICKET}")


@pytest.mark.parametrize("line", ["/x?tokn={}", "/x/{}/y", "Traceback: bad token '{}'", "x {}"])
def test_l01_a_secret_that_the_environment_gave_is_blotted_out_wherever_it_stands(
    line: str, settings: Settings, request: pytest.FixtureRequest
) -> None:
    settings.PRINCIPAL_TOKENS, settings.SERVICE_TOKENS = ["any old words/and more"], ["any old 0123456789"]
    _given.cache_clear()
    request.addfinalizer(_given.cache_clear)
    for secret in (settings.PRINCIPAL_TOKENS[0], settings.SERVICE_TOKENS[0], settings.SECRET_KEY):
        for form in (secret, quote(secret, safe="")):
            assert redact(line.format(form)) == line.format("***")


def test_what_stands_beside_a_credential_is_kept() -> None:
    assert redact(f"/x?a=1&token={TICKET}&b=2") == "/x?a=1&token=***&b=2"
    assert redact("/x?severity=warn&last_event_id=k7f3-1") == "/x?severity=warn&last_event_id=k7f3-1"


@given(
    before=st.text(max_size=20),
    after=st.text("'\" ,)}\n", min_size=1, max_size=5),
    kind=st.sampled_from(["principal", "service"]),
)
def test_a_token_of_ours_is_blotted_out_wherever_it_stands(before: str, after: str, kind: str) -> None:
    text = tokens.mint(kind)
    shown = redact(f"{before} {text}{after}")
    assert text not in shown
    assert text[10:] not in shown


def formatted(message: str, *args: object, exc_info: object = None) -> str:
    record = logging.LogRecord("test", logging.ERROR, __file__, 1, message, args, exc_info)  # type: ignore[arg-type]
    return RedactingFormatter().format(record)


def test_arguments_and_tracebacks_are_blotted_out_too() -> None:
    text = tokens.mint("principal")
    try:
        raise ValueError(f"bad token {text}")
    except ValueError:
        line = formatted("failed for %s", {"token": text}, exc_info=sys.exc_info())
    assert "Traceback" in line
    assert text not in line


def test_a_line_carries_the_correlation_id_of_its_request() -> None:
    reset = correlation.current.set("c-9")
    try:
        assert "[c-9]" in formatted("x")
    finally:
        correlation.current.reset(reset)


def test_the_access_log_keeps_what_helps() -> None:
    assert redact("/operator/api/events?severity=warn&limit=5") == "/operator/api/events?severity=warn&limit=5"


@pytest.mark.parametrize(("error", "expected"), [(ConnectionResetError("reset"), True), (ValueError("a bug"), False)])
def test_a_dependency_that_is_away_is_one_line_and_a_bug_keeps_its_traceback(
    error: Exception,
    expected: bool,  # noqa: FBT001 - a case of the table above
) -> None:
    try:
        raise error
    except Exception:  # noqa: BLE001 - as a library does that logs and goes on
        exc_info = sys.exc_info()
    record = logging.LogRecord("channels_redis.pubsub", logging.ERROR, __file__, 1, "receiving failed", (), exc_info)
    assert ExpectedFaults().filter(record)
    line = RedactingFormatter().format(record)
    assert ("Traceback" not in line) is expected
    assert line.splitlines()[0].endswith(
        f"receiving failed: {type(error).__name__}" if expected else "receiving failed"
    )
