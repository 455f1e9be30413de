"""Retries of publishers: safe by key or by event_id, and told from mistakes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.answers import assert_problem
from tests.client import Client, Json
from tests.stacks import Stack


def test_p10_the_same_key_and_event_again_is_the_same_event(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    key = {"Idempotency-Key": marker}
    first = service.published(new_event(), headers=key)

    again = service.publish(new_event(), headers=key)

    assert again.status_code == 200
    assert (again.json()["event_id"], again.json()["seq"]) == (first["event_id"], first["seq"])
    assert principal.polled(correlation_id=marker)["total"] == 1


def test_p10_the_same_key_for_another_event_is_a_conflict(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    key = {"Idempotency-Key": marker}
    service.published(new_event(), headers=key)

    assert_problem(service.publish(new_event(summary="another"), headers=key), 409, "idempotency_conflict")
    assert principal.polled(correlation_id=marker)["total"] == 1


@pytest.mark.parametrize("by", ["key", "event_id"])
def test_p10_of_twenty_parallel_tries_one_is_stored_and_all_hear_of_it(
    stack: Stack, principal: Client, new_event: Callable[..., Json], marker: str, by: str
) -> None:
    kind: dict[str, Any] = {"headers": {"Idempotency-Key": marker}} if by == "key" else {}
    event = new_event() if by == "key" else new_event(event_id=marker)
    clients = [
        stack.client(stack.service_token, server=stack.servers[number % len(stack.servers)]) for number in range(20)
    ]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda client: client.publish(event, **kind), clients))

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({(answer.json()["event_id"], answer.json()["seq"]) for answer in answers}) == 1
    assert principal.polled(correlation_id=marker)["total"] == 1


def test_p10_a_batch_sent_again_is_the_same_batch(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    batch = [new_event(event_id=f"{marker}.{number}") for number in range(5)]
    first = service.published(batch)

    again = service.publish(batch)

    assert again.status_code == 200
    assert again.json()["events"] == first["events"]
    assert principal.polled(correlation_id=marker)["total"] == 5


def test_p10_a_batch_sent_again_with_more_stores_only_what_is_new(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    batch = [new_event(event_id=f"{marker}.{number}") for number in range(4)]
    first = service.published(batch[:2])

    longer = service.published(batch)

    assert longer["events"][:2] == first["events"]
    assert longer["events"][3]["seq"] == longer["events"][2]["seq"] + 1
    assert principal.polled(correlation_id=marker)["total"] == 4


def test_p10_the_same_event_id_with_other_content_is_a_conflict(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    service.published(new_event(event_id=marker))

    assert_problem(service.publish(new_event(event_id=marker, summary="another")), 409, "idempotency_conflict")
    assert_problem(
        service.publish([new_event(), new_event(event_id=marker, summary="another")]), 409, "idempotency_conflict"
    )
    assert principal.polled(correlation_id=marker)["total"] == 1


def test_p10_a_retry_is_told_by_token_so_services_do_not_collide(
    stack: Stack, principal: Client, new_event: Callable[..., Json], marker: str
) -> None:
    for module in ("switch", "hermes"):
        token, _ = stack.issue_token("service", modules=(module,))
        stack.client(token).published(new_event(), headers={"Idempotency-Key": marker})
    assert principal.polled(correlation_id=marker)["total"] == 2
