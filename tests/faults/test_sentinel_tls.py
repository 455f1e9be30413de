"""Redis, replica and sentinels over TLS, each with users of their own, set up by the lines of docs/scaling.md."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers import assert_problem
from tests.conftest import OwnStack
from tests.faults.test_sentinel import messages_cross, refusals_until_all_issue_again
from tests.faults.traffic import Traffic
from tests.secured import TlsSentinelGroup
from tests.servers import RunningServer
from tests.stacks import Size

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

PASSWORD = "tell-nobody-of-this"


@pytest.fixture(scope="module")
def sentinels(stack_size: Size) -> Iterator[TlsSentinelGroup]:
    """No test of this file minds which of the two is the primary when it begins."""
    if stack_size == "embedded":
        pytest.skip("an embedded installation has no Redis")
    with TlsSentinelGroup(password=PASSWORD) as group:
        yield group


def redis_finding(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """What the doctor says first about Redis."""
    said = RunningServer(folder, environment).run_manage("doctor", "--json").stdout
    assert PASSWORD not in said
    found: dict[str, str] = next(one for one in json.loads(said)["findings"] if one["area"] == "redis")
    return found


def wrong(environment: dict[str, str], case: str) -> dict[str, str]:
    url = environment["VX11_REDIS_URL"]
    return (
        environment
        | {
            "another authority": {"VX11_REDIS_URL": url.replace("/ca.crt", "/other.crt")},
            "no certificate": {"VX11_REDIS_URL": url.partition("&ssl_certfile")[0]},
            "in the clear": {"VX11_REDIS_URL": url.replace("rediss:", "redis:").partition("?")[0]},
            "another user": {"VX11_REDIS_SENTINEL_USER": "nobody"},
            "another service": {"VX11_REDIS_SENTINEL_SERVICE": "mymaster"},
        }[case]
    )


@pytest.mark.parametrize(
    ("case", "way_out"),
    [
        ("another authority", "ssl_ca_certs"),
        ("no certificate", "ssl_certfile"),
        ("in the clear", "rediss://"),
        ("another user", "VX11_REDIS_SENTINEL_USER"),
        ("another service", "VX11_REDIS_SENTINEL_SERVICE"),
    ],
)
def test_the_doctor_says_what_each_sentinel_says_and_what_to_do(
    sentinels: TlsSentinelGroup, tmp_path: Path, case: str, way_out: str
) -> None:
    found = redis_finding(tmp_path, wrong(sentinels.environment, case))
    assert found["level"] == "FAIL"
    assert [port for port in sentinels.ports if f"127.0.0.1:{port}" not in found["found"]] == []
    assert "<redis." not in found["found"]
    assert way_out in found["repair"]


def test_sentinels_of_another_authority_are_not_believed_and_tickets_are_503(
    sentinels: TlsSentinelGroup, own_stack: OwnStack
) -> None:
    stack = own_stack(**wrong(sentinels.environment, "another authority"))
    client = stack.client(stack.principal_token)
    assert_problem(client.issue_ticket(), 503, "dependency_unavailable")
    assert client.get("/ready").json()["degraded"] == ["cache"]
    assert client.stream_status() == 200


async def test_over_tls_the_replica_takes_over_and_events_go_on(
    sentinels: TlsSentinelGroup, own_stack: OwnStack
) -> None:
    stack = own_stack(**sentinels.environment)
    async with Traffic(stack) as traffic:
        await traffic.stores(50)
        sentinels.primary.kill()
        await refusals_until_all_issue_again(stack)
        assert sentinels.primary_port() == sentinels.replica.port
        await messages_cross(stack, traffic)
        await traffic.settle()
        assert set(traffic.refused) <= {503}
        assert {reader.connections for reader in traffic.readers} == {1}
    assert sentinels.ask(sentinels.replica, "ACL", "LOG") == []
    assert redis_finding(stack.folder / "after", stack.a.environment)["level"] == "OK"
