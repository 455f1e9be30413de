"""Changes are limited for each principal, over all servers; closing a window is not."""

from tests.answers import assert_problem
from tests.client import API
from tests.conftest import OwnStack


def test_who_changes_too_often_is_told_when_to_go_on_and_may_still_close(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_CHANGE_RATE="3/30s")
    a, b = (stack.client(stack.principal_token, server=server) for server in (stack.a, stack.b))
    assert a.post(f"{API}/window/open", json={"ttl_sec": 60}).status_code == 200
    assert b.post(f"{API}/window/extend", json={"ttl_sec": 90}).status_code == 200
    assert a.post(f"{API}/settings", json={"settings": {}}).status_code == 200
    refused = [
        b.post(f"{API}/window/extend", json={"ttl_sec": 99}),
        a.post(f"{API}/settings", json={"settings": {"a": 1}}),
        a.post(f"{API}/window/open", json={}),
    ]
    for answer in refused:
        assert_problem(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert a.get(f"{API}/settings").json()["settings"] == {}
    assert a.get(f"{API}/window/status").json()["ttl_seconds"] <= 90
    other = stack.client(stack.issue_token("principal", scopes=("window:write",))[0], server=stack.b)
    assert other.post(f"{API}/window/extend", json={"ttl_sec": 60}).status_code == 200
    assert b.post(f"{API}/window/close", json={}).status_code == 200
