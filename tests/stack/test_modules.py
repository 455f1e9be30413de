"""Modules and status over HTTP: seen when they publish, asked at their address, honest when something is away."""

import secrets

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Event, Json
from tests.conftest import OwnStack
from tests.operator_api.chat.fake_assistant import Assistant
from tests.stack.operators import close_window, window
from tests.stacks import Stack
from tests.waiting import wait_until

MODULES, STATUS = f"{API}/modules", f"{API}/status"
CATEGORIES = {
    "madre": "core",
    "redis": "core",
    "tentaculo_link": "core",
    "switch": "optional",
    "hermes": "optional",
    "hormiguero": "optional",
    "manifestator": "optional",
    "spawner": "optional",
    "operator_backend": "operator",
}


def states(client: Client) -> Json:
    answer = client.get(MODULES)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["modules"])


def event(module: str) -> Event:
    return {"event_type": "test.alive", "summary": "here I am", "module": module}


def test_every_module_is_shown_with_its_state(stack: Stack, principal: Client) -> None:
    close_window(principal)
    found = states(principal)
    assert {name: state["category"] for name, state in found.items()} == CATEGORIES
    # Of a single process the cache is its own memory.
    up = dict.fromkeys(found) | ({"redis": "in_process"} if len(stack.servers) == 1 else {})
    for name, state in found.items():
        assert state.keys() == {"status", "reason", "category", "last_seen", "publishing", "configured"}
        off = CATEGORIES[name] == "optional"
        assert (state["status"], state["reason"]) == (("OFF_BY_POLICY", "outside_window") if off else ("UP", up[name]))
        one = principal.get(f"{MODULES}/{name}").json()
        assert (one.pop("name"), one.pop("last_seen") is None) == (name, state["last_seen"] is None)
        assert one == {key: value for key, value in state.items() if key != "last_seen"}


def test_a_module_that_is_not_there_is_404(principal: Client) -> None:
    assert_problem(principal.get(f"{MODULES}/nobody"), 404, "not_found")
    assert_problem(principal.get(f"{MODULES}/a/b"), 404, "not_found")


def test_a_module_that_publishes_is_up_while_a_window_opens_it(principal: Client, service: Client) -> None:
    service.published([event("manifestator"), event("spawner")])
    with window(principal, services=["manifestator"]):
        wait_until(lambda: states(principal)["manifestator"]["status"] == "UP", "manifestator was seen")
        assert states(principal)["manifestator"]["last_seen"] is not None
        assert states(principal)["spawner"]["status"] == "OFF_BY_POLICY"
    assert states(principal)["manifestator"]["status"] == "OFF_BY_POLICY"


def test_status_puts_window_and_modules_together(principal: Client, service: Client) -> None:
    with window(principal, services=["hermes"]) as opened:
        found = service.get(STATUS).json()
        assert found.keys() == {
            "status",
            "policy",
            "core_services",
            "optional_services",
            "operator_services",
            "degraded",
            "window",
            "timestamp",
        }
        assert (found["status"], found["policy"], found["degraded"]) == ("ok", "window_active", False)
        assert found["core_services"] == dict.fromkeys(("madre", "redis", "tentaculo_link"), {"status": "UP"})
        assert found["optional_services"]["switch"] == {"status": "OFF_BY_POLICY"}
        assert found["window"]["window_id"] == opened["window_id"]
    assert principal.get(STATUS).json()["policy"] == "solo_madre"


def test_a_module_with_an_address_is_asked_by_one_process(own_stack: OwnStack) -> None:
    with Assistant() as module:
        stack = own_stack()
        principal = stack.client(stack.principal_token)
        put_address(stack, "hermes", module.url)
        with window(principal, services=["hermes"]):
            wait_until(lambda: states(principal)["hermes"]["status"] == "UP", "hermes was asked", timeout_seconds=20)
            assert len(module.questions) == 1
            module.status = 500
            put_address(stack, "hermes", module.url)
            wait_until(lambda: states(principal)["hermes"]["status"] == "DOWN", "it fails", timeout_seconds=20)
            assert states(principal)["hermes"]["reason"] == "probe_failed: answered 500"


def put_address(stack: Stack, name: str, url: str) -> None:
    """What the admin does; from then on the module is due."""
    values = f"probe_url={url!r}, probe_due_at='2020-01-01T00:00:00Z'"
    code = f"from operator_api.models import Module; Module.objects.filter(name={name!r}).update({values})"
    stack.a.python(code)


def test_status_modules_and_window_may_be_public(own_stack: OwnStack) -> None:
    # What needs to know who asks stays closed, whatever the setting says.
    stack = own_stack(VX11_PUBLIC_ENTRY_POINTS="status,modules,window/status,settings,chat")
    stranger = stack.client(None)
    for path in (STATUS, MODULES, f"{API}/window/status", f"{API}/v1/status"):
        assert stranger.get(path).status_code == 200
    assert_problem(stranger.get(f"{API}/settings"), 401, "missing_token")
    assert_problem(stranger.get(f"{API}/chat"), 401, "missing_token")


@pytest.fixture
def new_stack(own_stack: OwnStack) -> Stack:
    return own_stack()


def test_without_redis_the_window_is_known_and_everything_says_degraded(new_stack: Stack) -> None:
    if new_stack.size == "embedded":
        pytest.skip("the cache of an embedded server is its own memory")
    principal = new_stack.client(new_stack.principal_token)
    with window(principal, services=["hermes"]) as opened:
        new_stack.redis.stop()
        found = principal.get(STATUS, timeout=4).json()
        assert (found["policy"], found["degraded"]) == ("window_active", True)
        assert found["core_services"]["redis"] == {"status": "DOWN"}
        seen = principal.get(f"{API}/window/status", timeout=4).json()
        assert (seen["window_id"], seen["degraded"]) == (opened["window_id"], True)
        assert "redis" not in seen["services"]
        assert secrets.compare_digest(states(principal)["redis"]["reason"], "cache_unavailable")
