"""Refusals that are about access: each is in the audit, with who was refused."""

import json
from collections.abc import Callable

import pytest

from tests.client import API, Client
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.stack.operators import close_window, operator
from tests.stacks import Stack
from tests.waiting import wait_until

STREAM = f"{API}/events/stream"
# The second of CALLS is refused for the same as the first.
FIRST_REPEATED = 1
ROWS = """
import json
from gateway.models import TokenAudit
rows = TokenAudit.objects.filter(correlation_id={!r}).values_list("action", "reason", "principal_id")
print(json.dumps(list(rows)))
"""


def rows_of(stack: Stack, correlation_id: str) -> list[list[str]]:
    """Action, reason and principal of what is on record under this id, as soon as there is something."""

    def rows() -> list[list[str]]:
        found: list[list[str]] = json.loads(stack.a.python(ROWS.format(correlation_id)))
        return found

    return wait_until(rows, "the refusal is on record", pause_seconds=0.1)


Call = Callable[[Client, dict[str, str]], int]
# What a service token is refused, and by which reason.
CALLS: dict[str, tuple[Call, int, str]] = {
    "a ticket": (lambda c, h: c.issue_ticket(headers=h).status_code, 403, "insufficient_scope"),
    "a stream": (lambda c, h: c.stream_status(headers=h), 403, "insufficient_scope"),
    "a stream from another site": (
        lambda c, h: c.stream_status(headers={**h, "Sec-Fetch-Site": "cross-site"}),
        403,
        "cross_site",
    ),
    "two tokens": (
        lambda c, h: c.issue_ticket(headers={**h, "Authorization": "Bearer another"}).status_code,
        400,
        "ambiguous_credentials",
    ),
    "a token in the query": (
        lambda c, h: c.request("OPTIONS", STREAM, params={"token": "not-a-ticket"}, headers=h).status_code,
        400,
        "token_in_query",
    ),
}


def test_a_refusal_is_on_record_with_its_reason(own_stack: OwnStack, marker: str) -> None:
    # Of its own: what is refused a second time within a minute is only counted.
    stack = own_stack()
    token, public_id = stack.issue_token("service")
    client = stack.client(token)
    for number, (call, status, reason) in enumerate(CALLS.values()):
        assert call(client, {"X-Correlation-Id": f"{marker}-{number}"}) == status
        if number == FIRST_REPEATED:
            continue
        # Whoever was refused before it was looked at who asks has no name.
        known = public_id if reason == "insufficient_scope" else ""
        assert rows_of(stack, f"{marker}-{number}") == [["refused", reason, known]]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}),
        ("OPTIONS", {}),
        ("POST", {}),
        ("HEAD", {}),
        ("GET", {"Accept": "text/html"}),
        ("GET", {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_token_in_the_streams_query_is_noticed_whatever_else_is_wrong(
    stack: Stack, principal: Client, method: str, headers: dict[str, str]
) -> None:
    name = 'vx11_sse_auth_failures_total{reason="token_in_query"}'
    before = metric(principal, name)
    answer = stack.client(None).request(method, STREAM, params={"token": "not-a-ticket"}, headers=headers)
    assert answer.status_code == 400
    assert metric(principal, name) == before + 1


STREAMS_IN_URL = "vx11_operator_sse_connections_in_url_total"
ALL_ROWS = """
import json
from django.core import serializers
from gateway.models import TokenAudit
rows = TokenAudit.objects.filter(correlation_id={!r})
print(json.dumps([serializers.serialize("json", rows), [row.address for row in rows]]))
"""


@pytest.mark.parametrize("name", ["token", "access_token", "authorization"])
def test_a_valid_token_in_a_url_is_refused_and_the_audit_says_whose_it_is_and_from_where(
    stack: Stack, principal: Client, marker: str, name: str
) -> None:
    token, public_id = stack.issue_token("principal")
    # From now on the server knows it: a refusal does not look it up in the database.
    assert stack.client(token).get(f"{API}/status").status_code == 200
    text = f"Bearer {token}" if name == "authorization" else token
    refused = stack.client(None).get(STREAM, params={name: text}, headers={"X-Correlation-Id": marker})
    assert (refused.status_code, refused.json()["reason"]) == (400, "token_in_query")
    assert public_id not in refused.text
    assert rows_of(stack, marker) == [["refused", "token_in_query", public_id]]
    written, addresses = json.loads(stack.a.python(ALL_ROWS.format(marker)))
    assert addresses == ["127.0.0.1"]
    assert token not in written
    assert token not in stack.a.process.log_from(0).decode()


def test_streams_refused_for_a_token_in_the_url_are_counted_by_whether_it_is_valid(
    stack: Stack, principal: Client
) -> None:
    def counts() -> tuple[float, float, float]:
        valid, unknown = (metric(principal, f'{STREAMS_IN_URL}{{token="{kind}"}}') for kind in ("valid", "unknown"))
        return valid, unknown, metric(principal, 'vx11_sse_auth_failures_total{reason="token_in_query"}')

    token, public_id = stack.issue_token("principal")
    assert stack.client(token).get(f"{API}/status").status_code == 200
    before = counts()
    stranger = stack.client(None)
    for method, path, text in (
        ("GET", STREAM, token),
        ("GET", STREAM, "vx11-test-token"),
        # No stream was asked for: these are in the audit, and are no openings.
        ("HEAD", STREAM, token),
        ("GET", f"{API}/events", token),
    ):
        assert stranger.request(method, path, params={"token": text}).status_code == 400
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 1, 4]
    # A revoked one is not valid, and is refused in the same way.
    stack.a.manage("revoke_token", public_id)
    wait_until(lambda: stack.client(token).get(f"{API}/status").status_code == 401, "it is revoked")
    assert stranger.get(STREAM, params={"token": token}).status_code == 400
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 2, 5]


def test_what_is_over_a_limit_is_on_record_with_whose_it_was(own_stack: OwnStack, marker: str) -> None:
    stack = own_stack(VX11_TOKEN_RATE="1/m", VX11_MAX_STREAMS_PER_PRINCIPAL="1")
    token, public_id = stack.issue_token("principal")
    client = stack.client(token)
    assert client.issue_ticket().status_code == 200
    refused = client.issue_ticket(headers={"X-Correlation-Id": f"{marker}-a"})
    assert refused.status_code == 429
    assert "VX11_TOKEN_RATE allows 1 in 60 s" in refused.json()["title"]
    assert rows_of(stack, f"{marker}-a") == [["refused", "rate_limited: tickets", public_id]]
    with client.stream() as stream:
        stream.connected()
        assert client.stream_status(headers={"X-Correlation-Id": f"{marker}-b"}) == 429
    assert rows_of(stack, f"{marker}-b") == [["refused", "too_many_streams: streams", public_id]]


def test_what_the_policy_refuses_is_on_record(stack: Stack, principal: Client, marker: str) -> None:
    close_window(principal)
    client, public_id = operator(stack)
    said = client.post(f"{API}/chat", json={"message": "hello"}, headers={"X-Correlation-Id": marker})
    assert said.status_code == 403
    assert rows_of(stack, marker) == [["refused", "window_closed", public_id]]


def test_what_was_counted_is_written_when_the_server_stops(own_stack: OwnStack, marker: str) -> None:
    stack = own_stack()
    stranger = stack.client("vx11p_" + "x" * 43)
    for _ in range(50):
        assert stranger.issue_ticket().status_code == 401
    assert stack.a.stop() == 0
    rows = "TokenAudit.objects.filter(action='refused')"
    total = f"from gateway.models import TokenAudit; print(sum(row.count for row in {rows}))"
    assert stack.a.python(total).strip() == "50"
