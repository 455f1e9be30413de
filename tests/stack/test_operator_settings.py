"""Settings of front ends over HTTP: each principal's own, read-only while no window is open."""

from typing import Any

import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.stack.operators import close_window, operator, window
from tests.stacks import Stack

SETTINGS = f"{API}/settings"


def kept(client: Client) -> Any:
    answer = client.get(SETTINGS)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_settings_are_kept_for_each_principal_and_seen_by_every_process(stack: Stack, principal: Client) -> None:
    client, _ = operator(stack)
    with window(principal):
        wanted = {"theme": "dark", "columns": [1, 2.5, None], "ñ": {"a": True}}
        answer = client.post(SETTINGS, json={"settings": wanted})
        assert answer.json() == {"settings": wanted, "read_only": False, "policy": "window_active"}
        there = stack.client(client.token, server=stack.a)
        assert kept(there) == answer.json()
        assert kept(operator(stack)[0])["settings"] == {}
        client.post(SETTINGS, json={"settings": {"theme": "light"}})
    assert kept(client) == {"settings": {"theme": "light"}, "read_only": True, "policy": "solo_madre"}


def test_a_bare_object_is_the_settings_as_front_ends_of_the_field_send_it(stack: Stack, principal: Client) -> None:
    client, _ = operator(stack)
    bare = {"chat": {"model": "m", "temperature": 0.7}, "appearance": {"theme": "dark"}}
    with window(principal):
        answer = client.post(SETTINGS, json=bare)
        assert (answer.status_code, answer.json()["settings"]) == (200, bare)
        refused = client.post(SETTINGS, json={"a": "x" * 17_000})
        assert_problem(refused, 413, "payload_too_large")
    assert kept(client)["settings"] == bare


def test_without_a_window_they_are_read_only(stack: Stack, principal: Client) -> None:
    close_window(principal)
    client, _ = operator(stack)
    answer = client.post(SETTINGS, json={"settings": {"theme": "dark"}})
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (
        403,
        "OFF_BY_POLICY",
        "window_closed",
    )
    assert kept(client) == {"settings": {}, "read_only": True, "policy": "solo_madre"}


@pytest.mark.parametrize("body", [{}, {"settings": None}, {"settings": []}, {"settings": {"a": 2**70}}])
def test_what_is_no_object_of_settings_is_422(body: Any, principal: Client) -> None:
    with window(principal):
        refused = assert_problem(principal.post(SETTINGS, json=body), 422, "validation_error")
        assert refused["errors"].keys() == {"settings"}


def test_settings_may_be_as_large_as_16_kib_and_no_larger(stack: Stack, principal: Client) -> None:
    client, _ = operator(stack)
    room = 16 * 1024 - len('{"a":""}')
    with window(principal):
        assert client.post(SETTINGS, json={"settings": {"a": "x" * room}}).status_code == 200
        refused = client.post(SETTINGS, json={"settings": {"a": "x" * (room + 1)}})
        assert_problem(refused, 413, "payload_too_large")
    assert len(kept(client)["settings"]["a"]) == room


def test_a_service_token_has_none(service: Client) -> None:
    assert_problem(service.get(SETTINGS), 403, "insufficient_scope")
    assert_problem(service.post(SETTINGS, json={"settings": {}}), 403, "insufficient_scope")
