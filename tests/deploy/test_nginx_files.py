"""The files of deploy/nginx: nginx takes them, they never log a query, and they say what the program says."""

import re
from pathlib import Path

import pytest

from gateway.backend.client import ANSWER_SECONDS
from gateway.http.bodies import BODY_LIMIT_BYTES, PUBLISH_LIMIT_BYTES
from gateway.http.errors import REASONS
from tests.deploy.shipped_nginx import SHIPPED, ShippedNginx
from vx11_site.config.environment import Environment

pytestmark = pytest.mark.once

FILES = sorted(path for path in SHIPPED.rglob("*.conf"))
SITE = (SHIPPED / "vx11-operator/site.conf").read_text(encoding="utf-8")
SHARED = (SHIPPED / "vx11-operator/shared.conf").read_text(encoding="utf-8")
# What holds the query, or the URL of another page.
QUERIES = re.compile(r"\$(request|request_uri|args|query_string|arg_\w+|http_referer|request_body)\b")


def test_nginx_accepts_the_shipped_files_without_a_warning() -> None:
    said = ShippedNginx().tested()
    assert said.returncode == 0, said.stderr
    assert "[warn]" not in said.stderr


def test_the_log_has_no_query() -> None:
    (log_format,) = re.findall(r"^log_format .*?;$", SHARED, re.MULTILINE | re.DOTALL)
    assert QUERIES.findall(log_format) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SHIPPED)))
def test_no_file_logs_in_another_format_or_with_more_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    logs = re.findall(r"^\s*(access_log|error_log) (.*);$", text, re.MULTILINE)
    assert [log for log in logs if log[0] == "error_log" and not log[1].endswith(" crit")] == []
    assert [log for log in logs if log[0] == "access_log" and not re.search(r"^off$| vx11_operator$", log[1])] == []


def block(start: str) -> str:
    """From there to the brace that ends it."""
    return SHARED[SHARED.index(start) :].partition("\n}")[0]


def test_the_error_bodies_of_nginx_speak_as_those_of_the_program() -> None:
    pairs = re.findall(r'^    "~\^(\d{3})[^"]*" (\w+);$', block("$vx11_reason {"), re.MULTILINE)
    titles = dict(re.findall(r'^    (\w+) "(.*)";$', block("$vx11_title {"), re.MULTILINE))
    assert len(pairs) > 6
    assert [reason for status, reason in pairs if REASONS[reason][0] != int(status)] == []
    # nginx knows addresses, and not whose token it is.
    own = {"too_many_streams": titles["too_many_streams"]}
    assert {reason: titles[reason] for _, reason in pairs} == {reason: REASONS[reason][1] for _, reason in pairs} | own


def test_nginx_takes_bodies_as_long_as_the_servers_do() -> None:
    limits = re.findall(r"^ *client_max_body_size (\d+)([km]);", SITE, re.MULTILINE)
    units = {"k": 1024, "m": 1024 * 1024}
    found = [int(number) * units[unit] for number, unit in limits]
    assert found == [BODY_LIMIT_BYTES, PUBLISH_LIMIT_BYTES, PUBLISH_LIMIT_BYTES, PUBLISH_LIMIT_BYTES]


def test_nginx_has_more_patience_with_a_stream_than_a_heartbeat_takes() -> None:
    block = re.search(r"^location ~ [^\n]*events/stream.*?^}", SITE, re.MULTILINE | re.DOTALL)
    assert block
    patience = re.search(r"proxy_read_timeout (\d+)s;", block[0])
    assert patience
    assert int(patience[1]) >= 3 * Environment({}).number("VX11_HEARTBEAT_SECONDS", minimum=1, maximum=300)


def test_a_backend_that_hangs_is_given_up_by_nginx_before_the_gateway_hangs_up() -> None:
    (text,) = re.findall(r"proxy_read_timeout (\d+)ms;", (SHIPPED / "backends.conf").read_text(encoding="utf-8"))
    wait_ms = Environment({}).number("VX11_CHAT_UPSTREAM_WAIT_MS", minimum=100, maximum=4_000)
    assert wait_ms < int(text) < ANSWER_SECONDS * 1000


def test_what_changes_something_is_never_sent_twice_but_for_tickets() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    assert sum(text.count("proxy_next_upstream ") for text in texts) > 3
    assert sum(text.count("non_idempotent") for text in texts) == 1
    block = re.search(r"^location ~ [^\n]*events/sse-token.*?^}", SITE, re.MULTILINE | re.DOTALL)
    assert block
    assert "non_idempotent" in block[0]


def test_streams_and_requests_go_to_the_same_processes() -> None:
    for name in ("container/upstream.conf", "vx11-operator/upstream.conf"):
        text = (SHIPPED / name).read_text(encoding="utf-8")
        requests, streams = (re.findall(r"^    server (\S+) ", part, re.MULTILINE) for part in text.split("\n}\n")[:2])
        assert requests == streams != []


def directives_of(name: str) -> list[str]:
    """Without comments and addresses."""
    lines = [line.strip() for line in (SHIPPED / name).read_text().splitlines()]
    return [re.sub(r"server [\d.:]+", "server", line) for line in lines if line and not line.startswith("#")]


def test_the_container_balances_as_a_host_does() -> None:
    assert directives_of("container/upstream.conf") == directives_of("vx11-operator/upstream.conf")
