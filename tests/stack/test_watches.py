"""Watches over HTTP: who may make, see and change them, and that they fire in a running installation."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

WATCHES = f"{API}/watches"
WATCH_SCOPES = ("events:read", "watch:write")


def definition(**fields: Any) -> Json:
    return {"name": "a watch", "query": "", "condition": {"kind": "every"}, **fields}


@pytest.fixture
def watch(principal: Client, marker: str) -> Iterator[Json]:
    """Of all events of this test, shared."""
    made = principal.post(WATCHES, json=definition(name=marker, query=f"correlation_id:{marker}", shared=True))
    assert made.status_code == 201, made.text
    yield made.json()
    principal.delete(f"{WATCHES}/{made.json()['id']}")


def someone(stack: Stack, *scopes: str, modules: tuple[str, ...] = ()) -> Client:
    token, _ = stack.issue_token("principal", scopes=scopes, modules=modules)
    return stack.client(token, server=stack.b)


def test_a_watch_fires_and_both_its_event_and_the_list_say_so(
    principal: Client, service: Client, watch: Json, new_event: Any
) -> None:
    since = principal.cursor()
    service.publish(new_event())
    url = f"{WATCHES}/fired?watch={watch['id']}"
    (firing,) = wait_until(lambda: principal.get(url).json()["firings"], "the watch fires")
    assert (firing["name"], firing["count"], firing["muted"]) == (watch["name"], 1, False)
    fired = [event for event in principal.polled(since=since, event_type="watch.fired", limit=500)["events"]]
    (event,) = [event for event in fired if event["payload"]["watch_id"] == watch["id"]]
    assert event["payload"]["firing_id"] == firing["firing_id"]
    assert firing["cursor"].endswith(f"-{event['seq']}")


def test_what_others_keep_to_themselves_is_not_in_the_list_of_what_concerns_one(
    stack: Stack, principal: Client, service: Client, watch: Json, new_event: Any, marker: str
) -> None:
    other = someone(stack, *WATCH_SCOPES)
    hidden = other.post(WATCHES, json=definition(name="hidden", query=f"correlation_id:{marker}")).json()["id"]
    service.publish(new_event())

    def fired(client: Client, query: str) -> set[int]:
        return {firing["watch_id"] for firing in client.get(f"{WATCHES}/fired?limit=500&{query}").json()["firings"]}

    # An administrator sees all, and asks for what concerns itself.
    wait_until(lambda: fired(principal, "mine=false") >= {watch["id"], hidden}, "both fire")
    assert fired(principal, "mine=true") & {watch["id"], hidden} == {watch["id"]}
    assert fired(other, "mine=true") >= {watch["id"], hidden}
    assert_problem(principal.get(f"{WATCHES}/fired?mine=perhaps"), 422, "validation_error")
    assert principal.delete(f"{WATCHES}/{hidden}").status_code == 204


def test_a_watch_is_made_changed_muted_and_deleted(principal: Client, watch: Json) -> None:
    url = f"{WATCHES}/{watch['id']}"
    assert principal.get(url).json() == watch
    assert watch["id"] in [each["id"] for each in principal.get(WATCHES).json()["watches"]]
    changed = principal.patch(url, json={"cooldown_sec": 60, "group_by": "module"})
    assert changed.status_code == 200
    assert (changed.json()["cooldown_sec"], changed.json()["group_by"]) == (60, "module")
    assert changed.json()["query"] == watch["query"]
    muted = principal.post(f"{url}/mute", json={"muted_until": "2026-12-31T00:00:00Z"})
    assert muted.json()["muted_until"] == "2026-12-31T00:00:00.000000Z"
    assert principal.post(f"{url}/mute", json={}).json()["muted_until"] is None
    assert principal.delete(url).status_code == 204
    assert_problem(principal.get(url), 404, "not_found")


def test_requests_that_change_different_fields_together_lose_none(stack: Stack) -> None:
    token, _ = stack.issue_token("principal", scopes=WATCH_SCOPES)
    first, second = (stack.client(token, server=server) for server in (stack.a, stack.b))
    url = f"{WATCHES}/{first.post(WATCHES, json=definition()).json()['id']}"
    with ThreadPoolExecutor(2) as pool:
        for number in range(10, 30):
            changes = ((first, {"name": f"w{number}"}), (second, {"cooldown_sec": number}))
            answers = list(pool.map(lambda change: change[0].patch(url, json=change[1]), changes))
            assert [answer.status_code for answer in answers] == [200, 200]
            now = first.get(url).json()
            assert (now["name"], now["cooldown_sec"]) == (f"w{number}", number)
    first.delete(url)


def test_a_watch_of_ones_own_is_hidden_from_others_and_a_shared_one_can_be_muted_only(
    stack: Stack, principal: Client, watch: Json
) -> None:
    other = someone(stack, *WATCH_SCOPES)
    mine = other.post(WATCHES, json=definition()).json()
    third = someone(stack, *WATCH_SCOPES)
    assert_problem(third.get(f"{WATCHES}/{mine['id']}"), 404, "not_found")
    assert mine["id"] not in [each["id"] for each in third.get(WATCHES).json()["watches"]]
    assert third.get(f"{WATCHES}/{watch['id']}").json()["mine"] is False
    assert_problem(third.patch(f"{WATCHES}/{watch['id']}", json={"name": "x"}), 403, "insufficient_scope")
    assert_problem(third.delete(f"{WATCHES}/{watch['id']}"), 403, "insufficient_scope")
    assert third.post(f"{WATCHES}/{watch['id']}/mute", json={}).status_code == 200
    # An administrator sees all, and can clean up.
    assert principal.delete(f"{WATCHES}/{mine['id']}").status_code == 204


def test_who_sees_fewer_modules_than_its_owner_does_not_see_a_shared_watch(stack: Stack, watch: Json) -> None:
    limited = someone(stack, *WATCH_SCOPES, modules=("hermes",))
    assert_problem(limited.get(f"{WATCHES}/{watch['id']}"), 404, "not_found")


def test_without_the_right_to_write_one_may_look(stack: Stack, watch: Json) -> None:
    viewer = someone(stack, "events:read")
    assert viewer.get(f"{WATCHES}/{watch['id']}").status_code == 200
    for answer in (
        viewer.post(WATCHES, json=definition()),
        viewer.post(f"{WATCHES}/preview", json=definition()),
        viewer.patch(f"{WATCHES}/{watch['id']}", json={}),
        viewer.delete(f"{WATCHES}/{watch['id']}"),
        viewer.post(f"{WATCHES}/{watch['id']}/mute", json={}),
        viewer.get(f"{WATCHES}/targets"),
    ):
        assert_problem(answer, 403, "insufficient_scope")
    assert_problem(someone(stack, "tickets:issue").get(WATCHES), 403, "insufficient_scope")


def test_wrong_fields_are_named_and_nothing_is_made(principal: Client) -> None:
    before = principal.get(WATCHES).json()
    for wrong, named in (
        ({"colour": "red"}, "colour"),
        ({"query": "severity:("}, "query"),
        ({"notify": ["nowhere"]}, "notify"),
    ):
        answer = principal.post(WATCHES, json=definition(**wrong))
        assert_problem(answer, 422, "validation_error")
        assert list(answer.json()["errors"]) == [named]
    for name in ("0", "x", "9" * 30, "-1"):
        assert_problem(principal.get(f"{WATCHES}/{name}"), 404, "not_found")
    assert principal.get(WATCHES).json() == before


def test_a_preview_says_how_often_it_would_have_fired(
    principal: Client, service: Client, new_event: Any, marker: str
) -> None:
    for _ in range(3):
        service.publish(new_event())
    count = definition(query=f"correlation_id:{marker}", condition={"kind": "count", "at_least": 3, "within_sec": 60})
    found = principal.post(f"{WATCHES}/preview", json=count).json()
    assert (found["would_fire"], found["events"], len(found["at"]), found["complete"]) == (1, 3, 1, True)


def test_publishers_may_not_use_the_names_of_what_watches_write(service: Client, new_event: Any) -> None:
    answer = service.post(f"{API}/events", json=new_event(event_type="watch.fired"))
    assert_problem(answer, 422, "validation_error")
