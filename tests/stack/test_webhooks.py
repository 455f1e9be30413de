"""Webhooks over HTTP: who may set them, what is shown of them, and that a change counts in a running installation."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

WEBHOOKS = f"{API}/webhooks"
RIGHTS = ("events:read", "watch:write", "tokens:admin")
# Refused when it is connected to: it is not a public address.
ADDRESS = "https://127.0.0.1:9/secretpath"


def limited(stack: Stack, *scopes: str, modules: tuple[str, ...] = ()) -> Client:
    token, _ = stack.issue_token("principal", scopes=scopes, modules=modules)
    return stack.client(token, server=stack.b)


@pytest.fixture
def webhook(principal: Client, marker: str) -> Iterator[Json]:
    """Of the events of this test; with its secret."""
    made = principal.post(
        WEBHOOKS, json={"name": marker, "query": f"correlation_id:{marker}", "address": ADDRESS, "from": "newest"}
    )
    assert made.status_code == 201, made.text
    yield made.json()
    principal.delete(f"{WEBHOOKS}/{made.json()['id']}")


def test_a_new_webhook_is_listed_without_its_address_and_its_secret(principal: Client, webhook: Json) -> None:
    assert webhook["secret"].startswith("whsec_")
    shown = principal.get(f"{WEBHOOKS}/{webhook['id']}")
    assert shown.json() == {name: value for name, value in webhook.items() if name != "secret"}
    assert (shown.json()["address"], shown.json()["mine"], shown.json()["state"]) == (
        "https://127.0.0.1:9/***",
        True,
        "active",
    )
    listed = principal.get(WEBHOOKS)
    assert shown.json() in listed.json()["webhooks"]
    for answer in (shown, listed):
        assert "secretpath" not in answer.text
        assert webhook["secret"] not in answer.text


def test_a_webhook_that_fails_says_why_and_is_sent_again_from_a_cursor(
    principal: Client, service: Client, webhook: Json, new_event: Any
) -> None:
    url = f"{WEBHOOKS}/{webhook['id']}"
    service.publish(new_event())
    failing = wait_until(lambda: (found := principal.get(url).json())["failures"] and found, "it fails")
    assert failing["problem"].startswith("refused: ")
    assert failing["cursor"] == webhook["cursor"]
    started = principal.post(f"{url}/start", json={"from": "newest"}).json()
    assert (started["failures"], started["problem"], started["state"]) == (0, None, "active")
    assert int(started["cursor"].rpartition("-")[2]) > int(failing["cursor"].rpartition("-")[2])
    # From an older cursor the event comes again, and fails again.
    again = principal.post(f"{url}/start", json={"from": webhook["cursor"]}).json()
    assert again["cursor"] == webhook["cursor"]
    wait_until(lambda: principal.get(url).json()["failures"], "it fails again")
    assert principal.post(f"{url}/start").json()["cursor"] == webhook["cursor"]


def test_who_changes_a_webhook_is_its_owner_and_fields_that_are_not_named_stay(
    stack: Stack, principal: Client, webhook: Json
) -> None:
    url, other = f"{WEBHOOKS}/{webhook['id']}", limited(stack, *RIGHTS)
    assert other.get(url).json()["mine"] is False
    changed = other.patch(url, json={"address": "http://hooks.example.org/other"}).json()
    assert (changed["address"], changed["mine"]) == ("http://hooks.example.org/***", True)
    assert (changed["name"], changed["query"]) == (webhook["name"], webhook["query"])
    assert principal.patch(url, json={}).json()["owner_id"] == changed["owner_id"]
    assert other.delete(url).status_code == 204
    assert_problem(other.get(url), 404, "not_found")
    assert_problem(other.delete(url), 404, "not_found")


def test_only_administrators_see_and_set_webhooks(stack: Stack, webhook: Json) -> None:
    operator, url = limited(stack, "events:read", "watch:write"), f"{WEBHOOKS}/{webhook['id']}"
    for answer in (
        operator.get(WEBHOOKS),
        operator.post(WEBHOOKS, json={"name": "x", "address": ADDRESS}),
        operator.get(url),
        operator.patch(url, json={"name": "x"}),
        operator.delete(url),
        operator.post(f"{url}/start"),
    ):
        assert_problem(answer, 403, "insufficient_scope")
    # A webhook sends what its owner may see: one that may see nothing cannot be an owner.
    assert_problem(limited(stack, "tokens:admin").patch(url, json={"name": "x"}), 403, "insufficient_scope")


def test_an_administrator_of_some_modules_does_not_find_the_webhooks_of_others(stack: Stack, webhook: Json) -> None:
    some, url = limited(stack, *RIGHTS, modules=("hermes",)), f"{WEBHOOKS}/{webhook['id']}"
    assert some.get(WEBHOOKS).json() == {"webhooks": []}
    for answer in (
        some.get(url),
        some.patch(url, json={"address": ADDRESS}),
        some.delete(url),
        some.post(f"{url}/start"),
    ):
        assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"address": "ftp://example.org/"}, "address"),
        ({"address": "https://user:word@example.org/"}, "address"),
        ({"query": "severity:("}, "query"),
        ({"secret": "whsec_short"}, "secret"),
        ({"secret": "whsec_ñ"}, "secret"),
        ({"from": "yesterday"}, "from"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_fields_are_named_and_nothing_is_made(principal: Client, fields: Json, named: str) -> None:
    answer = principal.post(WEBHOOKS, json={"name": "wrong", "address": ADDRESS, **fields})
    assert_problem(answer, 422, "validation_error")
    assert list(answer.json()["errors"]) == [named]
    assert "wrong" not in [webhook["name"] for webhook in principal.get(WEBHOOKS).json()["webhooks"]]


def test_two_webhooks_have_different_names(principal: Client, webhook: Json) -> None:
    answer = principal.post(WEBHOOKS, json={"name": webhook["name"], "address": ADDRESS})
    assert_problem(answer, 409, "webhook_name_taken")
    for name in ("0", "x", "9" * 30, "-1"):
        assert_problem(principal.get(f"{WEBHOOKS}/{name}"), 404, "not_found")
