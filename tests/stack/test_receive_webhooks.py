"""Webhooks on their way into the log of a server: signed as their senders sign, refused otherwise, once if repeated."""

import base64
import functools
import gzip
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, LOOPBACK, Client
from tests.metrics import metric
from tests.stacks import Stack
from tests.waiting import wait_until

GITHUB_KEY, GITLAB_TEXT, STANDARD_KEY = b"It's a Secret to Everybody", "a-token-of-gitlab", bytes(range(32))
SECRETS = {
    "github": GITHUB_KEY.decode(),
    "standard": f"whsec_{base64.b64encode(STANDARD_KEY).decode()}",
    "gitlab": GITLAB_TEXT,
    "token": "",
}
MAKE_ROW = """
from receivers import known_webhooks
from receivers.models import Webhook
fields = {!r}
secret = fields.pop("secret")
Webhook.objects.create(secret=known_webhooks.encrypted(secret) if secret else "", **fields)
"""
CHANGE_ROW = """
from receivers.models import Webhook
row = Webhook.objects.get(name={!r})
row.enabled = False
row.save()
"""
Json = dict[str, Any]


def is_known(client: Client, address: str) -> bool:
    return client.post(address).status_code != 404


def make_hook(stack: Stack, way: str, **fields: str) -> str:
    """The address of a new webhook, when both servers know it."""
    name = f"{way}-{secrets.token_hex(4)}"
    stack.a.python(MAKE_ROW.format({"name": name, "signature": way, "secret": SECRETS[way], **fields}))
    address = f"{API}/ingest/webhook/{name}"
    for server in stack.servers:
        client = stack.client(None, server=server)
        wait_until(functools.partial(is_known, client, address), "the webhook is known")
    return address


@pytest.fixture(scope="module")
def hooks() -> dict[str, str]:
    """Addresses by way, made once for each stack."""
    return {}


@pytest.fixture
def address_of(stack: Stack, hooks: dict[str, str]) -> Callable[[str], str]:
    def address(way: str) -> str:
        if way not in hooks:
            hooks[way] = make_hook(stack, way)
        return hooks[way]

    return address


def signed(way: str, body: bytes, *, stack: Stack, delivery: str = "", at: float | None = None) -> dict[str, str]:
    """The headers with which a sender proves itself."""
    delivery = delivery or secrets.token_hex(8)
    headers = {"Content-Type": "application/json"}
    if way == "github":
        digest = hmac.new(GITHUB_KEY, body, hashlib.sha256).hexdigest()
        return headers | {
            "X-Hub-Signature-256": f"sha256={digest}",
            "X-GitHub-Delivery": delivery,
            "X-GitHub-Event": "ping",
        }
    if way == "standard":
        moment = str(int(time.time() if at is None else at))
        mac = hmac.new(STANDARD_KEY, f"{delivery}.{moment}.".encode() + body, hashlib.sha256).digest()
        return headers | {
            "webhook-id": delivery,
            "webhook-timestamp": moment,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }
    if way == "gitlab":
        return headers | {"X-Gitlab-Token": GITLAB_TEXT, "Idempotency-Key": delivery}
    return headers | {"X-VX11-Token": stack.service_token, "Idempotency-Key": delivery}


def sent(stack: Stack, address: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
    return stack.client(None).post(address, content=body, headers=headers)


def body_with(marker: str) -> bytes:
    return json.dumps({"zen": marker, "message": marker, "repository": {"name": "hello"}}).encode()


each_way = pytest.mark.parametrize("way", SECRETS)


@each_way
def test_a_delivery_is_in_the_log_once_however_often_it_comes(
    stack: Stack, principal: Client, marker: str, address_of: Callable[[str], str], way: str
) -> None:
    body = body_with(marker)
    headers = signed(way, body, stack=stack)
    first, again = (sent(stack, address_of(way), body, headers) for _ in range(2))
    assert (first.status_code, first.json()["new"]) == (201, 1)
    assert (again.status_code, again.json()["events"]) == (200, first.json()["events"])
    [event] = principal.polled(q=f'"{marker}"')["events"]
    assert marker in event["summary"]
    assert sent(stack, address_of(way), body, signed(way, body, stack=stack)).status_code == 201


@each_way
def test_n17_what_is_not_proven_is_refused_and_leaves_nothing(
    stack: Stack, principal: Client, marker: str, address_of: Callable[[str], str], way: str
) -> None:
    body = body_with(marker)
    headers = signed(way, body, stack=stack)
    proof = {"github": "X-Hub-Signature-256", "standard": "webhook-signature", "gitlab": "X-Gitlab-Token"}.get(
        way, "X-VX11-Token"
    )
    address = address_of(way)
    missing = {name: value for name, value in headers.items() if name != proof}
    assert_problem(sent(stack, address, body, missing), 401, "missing_token")
    wrong = headers | {proof: headers[proof][:-2] + "xx"}
    assert_problem(sent(stack, address, body, wrong), 401, "main_auth_failed", detail="invalid_token")
    doubled = [*headers.items(), (proof, headers[proof] + "x")]
    with httpx2.Client(base_url=stack.a.url, **LOOPBACK) as client:
        assert_problem(client.post(address, content=body, headers=doubled), 400, "ambiguous_credentials")
    if way in ("github", "standard"):
        assert_problem(sent(stack, address, body + b" ", headers), 401, "main_auth_failed", detail="invalid_token")
    assert principal.polled(q=f'"{marker}"')["events"] == []


def test_n17_an_old_delivery_of_standard_webhooks_is_a_replay(stack: Stack, address_of: Callable[[str], str]) -> None:
    body = body_with("x")
    for at in (time.time() - 3_600, time.time() + 3_600, 0):
        headers = signed("standard", body, stack=stack, at=at)
        assert_problem(
            sent(stack, address_of("standard"), body, headers), 401, "main_auth_failed", detail="invalid_token"
        )


@each_way
@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "malformed_json"),
        (b'{"a": NaN}', 400, "malformed_json"),
        (b'{"a": "\xff"}', 400, "malformed_json"),
        (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, 400, "malformed_json"),
        (b" " * (256 * 1024 + 1), 413, "payload_too_large"),
    ],
    ids=["empty", "NaN", "no UTF-8", "deep", "huge"],
)
def test_n17_a_body_that_cannot_be_read_is_refused_though_it_is_signed(
    stack: Stack, address_of: Callable[[str], str], way: str, body: bytes, status: int, reason: str
) -> None:
    address = address_of(way)
    if way == "token" and status == 413:
        # A caller with a token may send what it may send elsewhere.
        body = b" " * (4 * 1024 * 1024 + 1)
    # What looks like a token lets in no more.
    headers = signed(way, body, stack=stack) | ({} if way == "token" else {"Authorization": "Basic eDp4"})
    assert_problem(sent(stack, address, body, headers), status, reason)


def test_an_address_that_there_is_not_is_none_and_a_disabled_one_neither(stack: Stack) -> None:
    assert_problem(sent(stack, f"{API}/ingest/webhook/none", b"{}", {}), 404, "not_found")
    address = make_hook(stack, "github")
    body = body_with("x")
    assert sent(stack, address, body, signed("github", body, stack=stack)).status_code == 201
    stack.a.python(CHANGE_ROW.format(address.rpartition("/")[2]))
    wait_until(
        lambda: sent(stack, address, body, signed("github", body, stack=stack)).status_code == 404, "it is closed"
    )


def test_a_webhook_of_one_module_publishes_for_no_other(stack: Stack, principal: Client, marker: str) -> None:
    address = make_hook(stack, "gitlab", own_module="door", module="body.module", summary="body.text")
    body = json.dumps({"module": "another", "text": marker}).encode()
    assert sent(stack, address, body, signed("gitlab", body, stack=stack)).status_code == 201
    [event] = principal.polled(q=f'"{marker}"')["events"]
    assert event["module"] == "door"


def test_n17_an_expression_that_does_not_fit_the_body_is_named_and_nothing_is_stored(
    stack: Stack, principal: Client, marker: str
) -> None:
    address = make_hook(stack, "gitlab", summary="join(' ', body.words)")
    body = json.dumps({"words": marker}).encode()
    answer = sent(stack, address, body, signed("gitlab", body, stack=stack))
    assert_problem(answer, 422, "validation_error")
    assert list(answer.json()["errors"]) == ["summary"]
    assert principal.polled(q=f'"{marker}"')["events"] == []


def test_n17_compressed_bodies_are_signed_as_they_are_sent(stack: Stack, address_of: Callable[[str], str]) -> None:
    body = gzip.compress(body_with("x"))
    headers = signed("github", body, stack=stack) | {"Content-Encoding": "gzip"}
    assert sent(stack, address_of("github"), body, headers).status_code == 201
    bomb = gzip.compress(b" " * 100_000_000)
    headers = signed("github", bomb, stack=stack) | {"Content-Encoding": "gzip"}
    assert_problem(sent(stack, address_of("github"), bomb, headers), 413, "payload_too_large")


def test_what_was_taken_and_refused_is_counted(stack: Stack, address_of: Callable[[str], str]) -> None:
    reader = stack.client(stack.principal_token)
    address, body = address_of("github"), body_with("x")

    def counts() -> tuple[float, float]:
        refused = 'vx11_received_requests_refused_total{reason="main_auth_failed",receiver="webhook"}'
        return metric(reader, 'vx11_received_events_total{receiver="webhook"}'), metric(reader, refused)

    wrong = signed("github", body, stack=stack) | {"X-Hub-Signature-256": "sha256=0"}
    sent(stack, address, body, wrong)
    taken, refused = counts()
    assert sent(stack, address, body, signed("github", body, stack=stack)).status_code == 201
    assert_problem(sent(stack, address, body, wrong), 401, "main_auth_failed", detail="invalid_token")
    assert counts() == (taken + 1, refused + 1)
