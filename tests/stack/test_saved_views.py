"""Saved views over HTTP: saved, read, changed and deleted, by those who may, within their limits."""

from typing import Any

import pytest

from operator_api.saved_views import OWN_LIMIT
from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack

VIEWS = f"{API}/views"


@pytest.fixture
def owner(stack: Stack) -> Client:
    """May read events, and share views."""
    return stack.client(stack.issue_token("principal", scopes=("events:read", "views:share"))[0], server=stack.b)


@pytest.fixture
def reader(stack: Stack) -> Client:
    return stack.client(stack.issue_token("principal", scopes=("events:read",))[0])


def save(client: Client, **fields: Any) -> Json:
    answer = client.post(VIEWS, json=fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def listed(client: Client) -> dict[str, Json]:
    answer = client.get(VIEWS)
    assert answer.status_code == 200, answer.text
    return {view["id"]: view for view in answer.json()["views"]}


def test_a_view_is_saved_read_changed_and_deleted(owner: Client, reader: Client) -> None:
    asked = {"query": "severity>=error", "from": "-1h", "columns": "payload.host", "facets": "payload.http.status"}
    view = save(owner, name="errors of today", **asked)
    assert {name: view[name] for name in asked} == asked
    assert (view["mine"], view["shared"], view["start"]) == (True, False, False)
    assert owner.get(f"{VIEWS}/{view['id']}").json() == view
    assert_problem(reader.get(f"{VIEWS}/{view['id']}"), 404, "not_found")
    changed = owner.request(
        "PATCH", f"{VIEWS}/{view['id']}", json={"name": "errors", "shared": True, "to": "2026-01-04T01:00:00Z"}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json() == {**view, "name": "errors", "shared": True, "to": "2026-01-04T01:00:00Z"} | {
        "updated_at": changed.json()["updated_at"]
    }
    assert listed(reader)[view["id"]]["mine"] is False
    assert owner.request("DELETE", f"{VIEWS}/{view['id']}").json() == {"id": view["id"], "status": "ok"}
    assert_problem(owner.request("DELETE", f"{VIEWS}/{view['id']}"), 404, "not_found")
    assert view["id"] not in listed(reader)


def test_sharing_and_views_of_others_need_a_right_that_a_reader_has_not(owner: Client, reader: Client) -> None:
    assert_problem(reader.post(VIEWS, json={"name": "mine", "shared": True}), 403, "insufficient_scope")
    view = save(owner, name="shared", shared=True)
    address = f"{VIEWS}/{view['id']}"
    assert_problem(reader.request("PATCH", address, json={"name": "taken"}), 403, "insufficient_scope")
    assert_problem(reader.request("DELETE", address), 403, "insufficient_scope")
    assert reader.request("PATCH", address, json={"start": True}).json()["start"] is True
    assert owner.get(address).json()["start"] is False
    owner.request("DELETE", address)


def test_without_the_right_to_read_events_there_are_no_views(stack: Stack) -> None:
    client = stack.client(stack.issue_token("principal", scopes=("views:share",))[0])
    assert_problem(client.get(VIEWS), 403, "insufficient_scope")
    assert_problem(client.post(VIEWS, json={"name": "one"}), 403, "insufficient_scope")
    assert_problem(stack.client(None).get(VIEWS), 401, "missing_token")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "n" * 81}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": 1}, "name"),
        ({"query": "module:("}, "query"),
        ({"query": "q" * 1001}, "query"),
        ({"from": "yesterday"}, "from"),
        ({"to": "-1y"}, "to"),
        ({"columns": "c" * 1001}, "columns"),
        ({"facets": ["payload.a"]}, "facets"),
        ({"shared": "yes"}, "shared"),
        ({"start": 1}, "start"),
        ({"colums": "payload.a"}, "colums"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_saved(reader: Client, fields: dict[str, Any], wrong: str) -> None:
    body = {"name": "one", **fields} if fields else {}
    refusal = assert_problem(reader.post(VIEWS, json=body), 422, "validation_error")
    assert list(refusal["errors"]) == [wrong]
    assert listed(reader) == {}


def test_a_name_that_is_taken_and_one_view_too_many_are_409(stack: Stack, reader: Client) -> None:
    save(reader, name="one")
    assert_problem(reader.post(VIEWS, json={"name": "one"}), 409, "view_name_taken")
    for number in range(OWN_LIMIT - 1):
        save(reader, name=f"view {number}")
    refusal = assert_problem(reader.post(VIEWS, json={"name": "one more"}), 409, "too_many_views")
    assert str(OWN_LIMIT) in refusal["title"]


@pytest.mark.parametrize("name", ["x", "00000000-0000-4000-8000-000000000000"])
def test_what_is_no_view_is_404(reader: Client, name: str) -> None:
    for answer in (
        reader.get(f"{VIEWS}/{name}"),
        reader.request("PATCH", f"{VIEWS}/{name}", json={}),
        reader.request("DELETE", f"{VIEWS}/{name}"),
    ):
        assert_problem(answer, 404, "not_found")
