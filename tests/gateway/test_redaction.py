"""Log lines: no credential in any of them, wherever it stands."""

import logging
import sys
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from gateway import correlation, tokens
from gateway.http.headers import CREDENTIAL_KEYS
from gateway.redaction import given_texts, redact
from vx11_site.logs.text import ExpectedFaults, RedactingFormatter

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
    # Names of our own lines are no names of parameters.
    for name in ("stream", "mystream", "a=correlation_id", "xcorrelation_id"):
        assert redact(f"/health?{name}={TICKET}") == f"/health?{name}=***"
    # Which is what one looks for in a log.
    assert TICKET in redact(f"/operator/api/events?correlation_id={TICKET}")


@pytest.mark.parametrize("line", ["/x?tokn={}", "/x/{}/y", "Traceback: bad token '{}'", "x {}"])
def test_l01_a_secret_that_the_environment_gave_is_blotted_out_wherever_it_stands(
    line: str, settings: Settings, request: pytest.FixtureRequest
) -> None:
    settings.PRINCIPAL_TOKENS, settings.SERVICE_TOKENS = ["any old words/and more"], ["any old 0123456789"]
    settings.CHAT_UPSTREAM_TOKEN = "the assistant's\nown 0123456789"
    forget_given(request)
    secrets = (*settings.PRINCIPAL_TOKENS, *settings.SERVICE_TOKENS, settings.SECRET_KEY, settings.CHAT_UPSTREAM_TOKEN)
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), repr(secret)[1:-1], repr(secret.encode())[2:-1]):
            assert redact(line.format(form)) == line.format("***")


def encoded(text: str, times: int) -> str:
    """Every character percent-encoded, as often as asked for."""
    for number in range(times):
        text = text.replace("%", "%25") if number else "".join(f"%{byte:02x}" for byte in text.encode())
    return text


@pytest.mark.parametrize("times", [0, 1, 2, 3, 9])
@pytest.mark.parametrize(
    "place", ["/x?{}", "/x/{}", "/{}/y?a=1", "/x?a={}&b=2", "//{}", "/x?{}=", "/x;{}", "/x?a=b#{}"]
)
@pytest.mark.parametrize("kind", ["ticket", "principal", "given"])
def test_n01_an_encoded_credential_is_blotted_out_wherever_it_stands(
    place: str, times: int, kind: str, settings: Settings, request: pytest.FixtureRequest
) -> None:
    settings.PRINCIPAL_TOKENS = ["any0old0words0and0more"]
    forget_given(request)
    secret = {"ticket": TICKET, "principal": tokens.mint("principal"), "given": settings.PRINCIPAL_TOKENS[0]}[kind]
    first, last = encoded(secret[0], times) + secret[1:], secret[:-1] + encoded(secret[-1], times)
    for form in (encoded(secret, times), first, last):
        shown = redact(f"GET {place.format(form)} 200")
        assert form not in shown
        assert secret not in decoded(shown)
        assert "***" in shown
        assert shown.startswith("GET /")
        assert shown.endswith(" 200")


def decoded(text: str) -> str:
    while (plainer := unquote(text)) != text:
        text = plainer
    return text


@pytest.mark.parametrize(
    "line",
    [
        "/x?token%3Dabc%26secret-part",
        "/x?to%256ben=secret-part%26more",
        "/x?token=abc%26secret-part",
        "/x?X-VX11-Token%253Dsecret-part",
        "/x?password=secret-part",
        "/x?a=1;token=secret-part",
    ],
)
def test_the_whole_value_of_a_credential_is_blotted_out_also_where_it_holds_a_delimiter(line: str) -> None:
    assert "secret-part" not in decoded(redact(line))


@pytest.mark.parametrize("password", ["p%40ss", "pa/ss", "p@ss", "x", "p:ss"])
def test_a_password_in_an_address_is_blotted_out(password: str) -> None:
    shown = redact(f"cannot reach redis://name:{password}@host:6379/0 now")
    assert shown == "cannot reach redis://name:***@host:6379/0 now"
    assert redact("see http://host:80/a and https://b/@c") == "see http://host:80/a and https://b/@c"


def test_what_is_encoded_and_no_credential_is_kept_as_it_came() -> None:
    target = "/operator/api/events?module=a%20b&text=100%25&odd=%zz%&x=%C3%A9"
    assert redact(f"GET {target} 200") == f"GET {target} 200"


def test_the_ids_of_streams_and_requests_are_kept_in_lines_of_our_own() -> None:
    assert TICKET in redact(f"stream closed stream={TICKET} principal=p-1")
    assert TICKET in redact(f"stream {TICKET} broke")
    assert TICKET in formatted_in_request(TICKET)


def test_a_token_that_a_caller_sent_as_its_correlation_id_is_blotted_out() -> None:
    text = tokens.mint("principal")
    assert text not in formatted_in_request(text)


def formatted_in_request(correlation_id: str) -> str:
    reset = correlation.current.set(correlation_id)
    try:
        return formatted("x")
    finally:
        correlation.current.reset(reset)


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


def forget_given(request: pytest.FixtureRequest) -> None:
    """What was compiled of the settings is made anew in this test, and after it."""
    given_texts.cache_clear()
    request.addfinalizer(given_texts.cache_clear)


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


FORGED = "2026-01-01T00:00:00.000Z INFO vx11.audit [-] token_issued"
HOSTILE = f"bad\n{FORGED}\r\x1b[2K\u202e\x9b2J\x85\u2028"


def test_n14_what_others_wrote_begins_no_line_of_the_log_and_drives_no_terminal() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        text = formatted("failed for %s", HOSTILE, exc_info=sys.exc_info())
    assert len(text.splitlines()) > 3
    assert not [line for line in text.splitlines()[1:] if not line.startswith("  ")]
    assert not set(text) & set("\r\x1b\u202e\x9b\x85\u2028")
    assert text.count("Traceback") == 1
