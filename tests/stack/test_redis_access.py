"""Redis as people run it: over TLS, through a Unix socket, with a user of its own who may do what is needed only."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.answers import assert_problem
from tests.client import Event
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.processes import free_port
from tests.secured import TlsRedis
from tests.servers import ROOT, RunningServer
from tests.stacks import Stack
from tests.stores import PrivateRedis
from tests.waiting import wait_until

# Some start several installations, one after the other.
pytestmark = pytest.mark.timeout(180)

PASSWORD = "hunter-2-and-more"
CLIENT_PASSWORD = "a-password-with-@:/-in-it"
NewEvent = Callable[..., Event]


@pytest.fixture
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


def assert_everything_works(stack: Stack, new_event: NewEvent) -> None:
    """All that uses Redis: tickets, limits, leases, messages between processes, the mark, and whoever looks."""
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with stack.client(None, server=stack.b).stream(token=reader.ticket()) as stream:
        stream.connected()
        published = service.published(new_event())["event_id"]
        assert stream.event()["event_id"] == published
        assert reader.get("/ready").json()["degraded"] == []
        reader.ticket()
        assert metric(reader, "vx11_ephemeral_token_cache_size_entries") == 1
        assert "1 of them were taken out of Redis" in stack.a.manage("revoke_tickets", "--all", "--yes")
        assert metric(reader, "vx11_relay_gaps_healed_total") == 0
    assert stack.client("no-such-token-anywhere").get("/operator/api/events").status_code == 401
    found = diagnosis(stack.a)
    assert [finding for finding in found if finding["level"] == "FAIL"] == []
    for server in stack.servers:
        assert "vx11.tickets" not in server.process.log()


def diagnosis(server: RunningServer) -> list[dict[str, str]]:
    said = server.run_manage("doctor", "--json").stdout
    assert PASSWORD not in said
    assert CLIENT_PASSWORD not in said
    findings: list[dict[str, str]] = json.loads(said)["findings"]
    return findings


def repair_of(server: RunningServer) -> str:
    """What the doctor says is to be done about Redis."""
    failed = [finding for finding in diagnosis(server) if (finding["area"], finding["level"]) == ("redis", "FAIL")]
    assert len(failed) == 1
    return failed[0]["repair"]


def test_redis_is_reached_through_a_unix_socket(
    own_stack: OwnStack, redis_server: PrivateRedis, new_event: NewEvent
) -> None:
    path = redis_server.folder / "redis.sock"
    redis_server.stop()
    redis_server.start(unixsocket=str(path))
    stack = own_stack(VX11_REDIS_URL=f"unix://{path}?db=3")
    assert_everything_works(stack, new_event)
    assert "db3" in redis_server.ask("INFO", "keyspace")


def test_redis_is_reached_over_tls_with_a_certificate_of_ones_own(own_stack: OwnStack, new_event: NewEvent) -> None:
    with TlsRedis() as server:
        stack = own_stack(VX11_REDIS_URL=server.secure_url())
        assert_everything_works(stack, new_event)


def test_a_redis_whose_certificate_is_of_somebody_else_is_away(own_stack: OwnStack) -> None:
    with TlsRedis() as server:
        stack = own_stack(VX11_REDIS_URL=server.secure_url("other.crt"))
        answer = stack.client(stack.principal_token).issue_ticket()
        assert_problem(answer, 503, "dependency_unavailable")
        assert "ssl_ca_certs" in repair_of(stack.a)


def acl_line() -> str:
    """As docs/scaling.md gives it."""
    found = re.findall(r"^(user vx11 .*)$", (ROOT / "docs/scaling.md").read_text(), re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def test_the_documented_acl_user_may_do_all_that_is_needed_and_nothing_else(
    own_stack: OwnStack, redis_server: PrivateRedis, new_event: NewEvent
) -> None:
    _, name, *rules = acl_line().replace("PASSWORD", CLIENT_PASSWORD).split()
    redis_server.ask("ACL", "SETUSER", name, *rules)
    quoted = CLIENT_PASSWORD.replace("@", "%40").replace(":", "%3A").replace("/", "%2F")
    redis_server.ask("CONFIG", "RESETSTAT")
    url = f"redis://{name}:{quoted}@127.0.0.1:{redis_server.port}/0"
    stack = own_stack(VX11_REDIS_URL=url, VX11_TOKEN_RATE="20/m")
    assert_everything_works(stack, new_event)
    reader = stack.client(stack.principal_token)
    wait_until(lambda: reader.issue_ticket().status_code == 429, "the limit of tickets is reached")
    assert mark_is_kept(redis_server)
    stack.stop()
    assert redis_server.ask("ACL", "LOG") == []
    allowed = {rule.removeprefix("+") for rule in rules if rule.startswith("+")}
    used = {name.removeprefix("cmdstat_") for name in redis_server.ask("INFO", "commandstats")}
    assert sorted(allowed - used - SELDOM_USED) == []
    with redis.Redis(port=redis_server.port, username=name, password=CLIENT_PASSWORD) as client:
        for words in (["FLUSHALL"], ["CONFIG", "GET", "*"], ["GET", "somebody:elses"], ["PUBLISH", "other", "x"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*words)


# A script that is not known any more, another database than 0, a second process, a subscription that is renewed.
SELDOM_USED = {"script|load", "select", "exists", "unsubscribe"}


def mark_is_kept(server: PrivateRedis) -> bool:
    return bool(wait_until(lambda: server.ask("GET", "vx11:1:log_mark"), "the mark is in Redis"))


def test_a_wrong_password_is_a_dependency_that_is_away_and_the_doctor_says_what_to_do(
    own_stack: OwnStack, redis_server: PrivateRedis
) -> None:
    redis_server.ask("CONFIG", "SET", "requirepass", PASSWORD)
    for credentials in (":not-the-password@", "nobody:not-the-password@", ""):
        stack = own_stack(VX11_REDIS_URL=f"redis://{credentials}127.0.0.1:{redis_server.port}/0")
        client = stack.client(stack.principal_token)
        assert_problem(client.issue_ticket(), 503, "dependency_unavailable")
        assert client.get("/ready").json()["degraded"] == ["cache"]
        assert client.stream_status() == 200
        assert "user and password in VX11_REDIS_URL" in repair_of(stack.a)
        stack.stop()


def test_a_user_who_may_not_do_what_is_needed_is_found_by_the_doctor(
    own_stack: OwnStack, redis_server: PrivateRedis
) -> None:
    redis_server.ask("ACL", "SETUSER", "narrow", "on", f">{PASSWORD}", "~vx11:*", "+get", "+ping")
    stack = own_stack(VX11_REDIS_URL=f"redis://narrow:{PASSWORD}@127.0.0.1:{redis_server.port}/0")
    assert_problem(stack.client(stack.principal_token).issue_ticket(), 503, "dependency_unavailable")
    assert "docs/scaling.md" in repair_of(stack.a)


def test_a_cluster_is_refused_with_words(tmp_path: Path, redis_server: PrivateRedis) -> None:
    redis_server.stop()
    redis_server.start(cluster_enabled="yes", cluster_port=str(free_port()))
    server = RunningServer(tmp_path, {"VX11_REDIS_URL": redis_server.url})
    server.manage("migrate", "--no-input")
    assert "Sentinel" in repair_of(server)
