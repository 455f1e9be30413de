"""The log of a running server as JSON: every line of a request is an object that carries the request's id."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import API
from tests.conftest import OwnStack
from tests.stacks import Stack
from tests.waiting import wait_until


@pytest.fixture
def talking(own_stack: OwnStack) -> Stack:
    return own_stack(VX11_LOG_FORMAT="json", VX11_LOG_LEVEL="DEBUG")


def lines(stack: Stack) -> Iterator[dict[str, Any]]:
    """All but the one that says on standard output where it serves."""
    for line in stack.a.process.log().splitlines():
        if not line.startswith("VX11 Operator serves"):
            yield json.loads(line)


def of_request(stack: Stack, correlation_id: str, logger: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [
            line for line in lines(stack) if (line["logger"], line.get("correlation_id")) == (logger, correlation_id)
        ]

    [line] = wait_until(found, f"{logger} has a line of {correlation_id}")
    return line


def test_lines_of_a_request_are_objects_that_carry_its_id(talking: Stack) -> None:
    client = talking.client(talking.principal_token)
    answer = client.get(f"{API}/events", params={"limit": 3, "token_name": "x"}, headers={"X-Correlation-Id": "c-poll"})
    assert answer.status_code == 200
    line = of_request(talking, "c-poll", "vx11.access")
    assert (line["method"], line["path"], line["status"]) == ("GET", f"{API}/events?limit=3&token_name=x", 200)
    assert 0 <= line["duration_seconds"] < 10
    assert line["sent_bytes"] == len(answer.content)
    assert line["whole"] is True
    # All lines were objects: `lines` has read them.
    assert {line["level"] for line in lines(talking)} <= {"DEBUG", "INFO", "WARNING"}


def test_a_refusal_in_the_audit_carries_the_id_of_its_request(talking: Stack) -> None:
    talking.client("vx11p_nobody-has-this-one").get(f"{API}/events", headers={"X-Correlation-Id": "c-refused"})
    assert "refused" in of_request(talking, "c-refused", "vx11.audit")["message"]


def test_lines_of_the_server_itself_carry_the_id_of_no_request(talking: Stack) -> None:
    with talking.client(talking.principal_token).stream(headers={"X-Correlation-Id": "c-first"}) as stream:
        stream.connected()
        # The first request that needs it starts what then works for all.
        talking.a.process.send(signal.SIGTERM)
        stream.named("stream-end")
    talking.a.process.wait()
    assert [line for line in lines(talking) if line["logger"].startswith("events.") and "correlation_id" in line] == []


def test_a_format_that_does_not_exist_is_refused_at_the_start(own_stack: OwnStack) -> None:
    stack = own_stack()
    stack.a.environment["VX11_LOG_FORMAT"] = "xml"
    done = stack.a.run_manage("check")
    assert done.returncode != 0
    assert "VX11_LOG_FORMAT is 'xml'; use text or json" in done.stderr
