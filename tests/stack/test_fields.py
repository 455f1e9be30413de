"""What is wrong with a body is said by field, for every address that takes one; and nothing of it is kept."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack

# By address and field: values of a wrong type, or beyond what the field takes.
WRONG: dict[str, dict[str, list[Any]]] = {
    "events": {
        "event_type": [3, None, [], {}, True, "", "A", "x" * 65, "stream-end"],
        "summary": [3, None, ["x"], {}, False, "", "x" * 501],
        "severity": [3, [], {}, "fatal", ""],
        "module": [3, [], {}, "", "a b", "x" * 65],
        "correlation_id": [3, [], {}, "", "a b", "x" * 65],
        "event_id": [3, [], {}, "", "a/b", "x" * 65],
        "occurred_at": [3, [], {}, "", "yesterday"],
        "payload": [3, "x", [], True, {"n": 2**64}],
    },
    "events/sse-token": {
        "modules": [3, "hermes", {}, True, [3], [[]], [None]],
        "severities": [3, "warn", {}, [3], [{}], ["fatal"]],
        "event_types": [3, "drift", {}, [3], [None]],
    },
    "settings": {"settings": [3, "x", [], True, None]},
    "chat": {
        "message": [3, None, [], {}, True, "", "x" * 8001],
        "session_id": [3, [], {}, "", "a b", "x" * 65],
        "metadata": [3, "x", [], True, {"x": "y" * 9000}, {"n": 2**64}],
    },
    "window/open": {
        "services": [3, "hermes", {}, True, [3], [[]], ["no-such-module"]],
        "ttl_sec": ["60", [], {}, True, 0, -1, 86_401, 1.5, 2**70],
        "mode": [3, [], {}, "", "for ever"],
        "reason": [3, [], {}, "x" * 501],
    },
    "window/extend": {"ttl_sec": ["60", [], {}, True, 0, -1, 86_401, 1.5, 2**70]},
}
REQUIRED: dict[str, Json] = {"chat": {"message": "x"}, "settings": {"settings": {}}}
CASES = [(path, field, value) for path, fields in WRONG.items() for field, values in fields.items() for value in values]


@pytest.fixture
def everything(stack: Stack, marker: str) -> Callable[[], object]:
    """What may have been kept of a request: events, the window, chat and settings."""
    principal = stack.client(stack.principal_token)

    def look() -> object:
        window = principal.get(f"{API}/window/status").json()
        return (
            principal.polled(correlation_id=marker, limit=1)["total"],
            window["window_id"],
            window["deadline"],
            principal.get(f"{API}/chat", params={"limit": 1}).json(),
            principal.get(f"{API}/settings").json()["settings"],
        )

    return look


def ask(stack: Stack, path: str, body: Json) -> Any:
    token = stack.service_token if path == "events" else stack.principal_token
    return stack.client(token, server=stack.b).post(f"{API}/{path}", json=body)


@pytest.mark.parametrize("path", WRONG)
def test_a_value_of_a_wrong_kind_is_422_with_the_name_of_its_field_and_nothing_is_kept(
    stack: Stack, new_event: Callable[..., Json], everything: Callable[[], object], path: str
) -> None:
    before = everything()
    for _, field, value in [case for case in CASES if case[0] == path]:
        whole = new_event() if path == "events" else REQUIRED.get(path, {})
        answer = ask(stack, path, {**whole, field: value})
        problem = assert_problem(answer, 422, "validation_error")
        assert list(problem["errors"]) == [field], f"{field} = {value!r}: {problem['errors']}"
    assert everything() == before


@pytest.mark.parametrize("path", WRONG)
def test_all_fields_that_are_wrong_are_named_together(
    stack: Stack, new_event: Callable[..., Json], everything: Callable[[], object], path: str
) -> None:
    before = everything()
    wrong = {field: values[0] for field, values in WRONG[path].items()}
    problem = assert_problem(
        ask(stack, path, {**new_event(), **wrong} if path == "events" else wrong), 422, "validation_error"
    )
    assert set(problem["errors"]) == set(wrong)
    assert everything() == before


@pytest.mark.parametrize("as_batch", [False, True])
def test_fields_that_no_event_has_are_named_with_the_one_that_was_meant(
    stack: Stack, new_event: Callable[..., Json], everything: Callable[[], object], *, as_batch: bool
) -> None:
    before = everything()
    strange = {**new_event(), "sumary": "x", "host": "node-7"}
    answer = ask(stack, "events", {"events": [new_event(), strange]} if as_batch else strange)
    errors = assert_problem(answer, 422, "validation_error")["errors"]
    prefix = "events[1]." if as_batch else ""
    assert errors == {
        f"{prefix}sumary": ["unknown; did you mean summary?"],
        f"{prefix}host": ["unknown; data of your own goes into payload"],
    }
    assert everything() == before


def test_a_field_beside_a_batch_is_named(
    stack: Stack, new_event: Callable[..., Json], everything: Callable[[], object]
) -> None:
    before = everything()
    answer = ask(stack, "events", {"events": [new_event()], "severity": "warn"})
    assert list(assert_problem(answer, 422, "validation_error")["errors"]) == ["severity"]
    assert everything() == before


def test_an_event_that_was_read_is_published_again_by_leaving_out_what_servers_add(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    service.published(new_event())
    read = principal.polled(correlation_id=marker)["events"][0]
    problem = assert_problem(service.publish(read), 422, "validation_error")
    assert set(problem["errors"]) == {"type", "seq", "created_at"}
    theirs = {name: value for name, value in read.items() if name not in problem["errors"]}
    assert service.publish({**theirs, "event_id": marker}).status_code == 201
