"""What holds for every address alike, whoever answers it: views, pages, the admin, the stream."""

import secrets
from collections.abc import Iterator

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, LOOPBACK
from tests.security.addresses import addresses
from tests.stacks import Stack
from tests.waiting import wait_until

KEYS = ("token", "access_token", "X-VX11-Token", "api_key", "authorization")


@pytest.fixture
def caller(stack: Stack) -> Iterator[httpx2.Client]:
    """Keeps its connection, for it asks at many addresses; its token has every right."""
    with httpx2.Client(base_url=stack.a.url, **LOOPBACK, headers={"X-VX11-Token": stack.principal_token}) as client:
        yield client


def test_the_list_of_addresses_holds_what_it_should() -> None:
    known = {f"{API}/events", f"{API}/v1/events/stream", "/operator/", "/admin/", "/metrics", "/health"}
    assert known | {"/admin/gateway/accesstoken/", f"{API}/schema/"} <= set(addresses())


@pytest.mark.parametrize("key", KEYS)
def test_a07_a_token_in_the_query_is_refused_at_every_address(stack: Stack, caller: httpx2.Client, key: str) -> None:
    for path in addresses():
        # The header is right, and makes nothing better.
        assert_problem(caller.get(path, params={key: stack.principal_token}), 400, "token_in_query")


@pytest.mark.parametrize("value", ["x" * 20, "vx11p_" + "x" * 43])
def test_a07_whether_a_token_in_the_query_is_good_is_not_looked_at(caller: httpx2.Client, value: str) -> None:
    for path in addresses():
        assert_problem(caller.get(path, params={"token": value}, headers={"X-VX11-Token": ""}), 400, "token_in_query")


@pytest.mark.parametrize("path", [f"{API}/events", f"{API}/events/stream", "/operator/login"])
def test_a07_that_a_token_stood_in_a_query_is_on_record(stack: Stack, caller: httpx2.Client, path: str) -> None:
    correlation_id = f"query-{secrets.token_hex(8)}"
    headers = {"X-VX11-Token": "", "X-Correlation-Id": correlation_id}
    assert_problem(caller.get(path, params={"token": stack.principal_token}, headers=headers), 400, "token_in_query")

    def is_on_record() -> bool:
        lines = [line for line in stack.a.process.log().splitlines() if " vx11.audit " in line]
        # Repeats from one address are one row a minute, so it may be an earlier request that has the line.
        return any("token_in_query" in line for line in lines)

    wait_until(is_on_record, "the audit says that a token was in a query", timeout_seconds=2)


@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "DELETE", "BREW"])
def test_x08_a_method_that_nothing_offers_is_not_allowed_at_any_address(caller: httpx2.Client, method: str) -> None:
    answers = {path: caller.request(method, path) for path in addresses()}
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 405} == {}
    assert [path for path, answer in answers.items() if not answer.headers.get("allow")] == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8000.evil.example"])
def test_w02_no_address_reflects_an_origin(caller: httpx2.Client, origin: str) -> None:
    for path in addresses():
        headers = caller.head(path, headers={"Origin": origin}).headers
        assert not [name for name in headers if name.startswith("access-control-")], path


def test_w08_w11_no_address_may_be_framed_or_kept_by_a_cache(caller: httpx2.Client) -> None:
    for path in addresses():
        headers = caller.head(path).headers
        assert "no-store" in headers["cache-control"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-frame-options"] == "DENY", path
