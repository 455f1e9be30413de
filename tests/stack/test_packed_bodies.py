"""Compressed bodies of publishing: taken like others, limited by what they hold, charged by it, refused elsewhere."""

import gzip
import json
from collections.abc import Callable

import pytest
from backports import zstd

from benchmarks import usage
from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack

EVENTS = f"{API}/events"
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
BOMB_BYTES = 300_000_000


def headers(coding: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Encoding": coding}


@pytest.mark.parametrize("coding", PACK)
def test_a_compressed_event_is_published(
    service: Client, principal: Client, new_event: Callable[..., Json], marker: str, coding: str
) -> None:
    batch = {"events": [new_event(summary=f"number {number}") for number in range(300)]}
    answer = service.post(EVENTS, content=PACK[coding](json.dumps(batch).encode()), headers=headers(coding))
    assert answer.status_code == 201, answer.text
    assert principal.polled(correlation_id=marker)["total"] == 300


@pytest.mark.parametrize("coding", PACK)
def test_what_does_not_unpack_is_refused(service: Client, new_event: Callable[..., Json], coding: str) -> None:
    whole = PACK[coding](json.dumps(new_event()).encode())
    for broken in (whole[:-2], b"\x1f\x8b" * 100, b"", json.dumps(new_event()).encode()):
        assert_problem(service.post(EVENTS, content=broken, headers=headers(coding)), 400, "bad_request")


@pytest.mark.parametrize("coding", ["deflate", "br", "gzip, gzip", "snappy"])
def test_other_codings_are_refused(service: Client, coding: str) -> None:
    answer = service.post(EVENTS, content=gzip.compress(b"{}"), headers=headers(coding))
    assert_problem(answer, 415, "unsupported_media_type")
    assert "gzip or zstd" in answer.json()["title"]


@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_costs_little(stack: Stack, service: Client, coding: str) -> None:
    bomb = PACK[coding](b" " * BOMB_BYTES)
    pids = [server.pid for server in stack.processes]
    before = usage.cpu_seconds(*pids)
    for _ in range(5):
        assert_problem(service.post(EVENTS, content=bomb, headers=headers(coding)), 413, "payload_too_large")
    assert usage.cpu_seconds(*pids) - before < 2


def test_a_bomb_is_charged_as_what_was_unpacked(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="1000/m")
    client = stack.client(stack.service_token)
    bomb = gzip.compress(b" " * BOMB_BYTES)
    statuses = [client.post(EVENTS, content=bomb, headers=headers("gzip")).status_code for _ in range(4)]
    # Each costs one, and as much as the 4 MiB that were unpacked could have held: 512 events.
    assert statuses == [413, 413, 429, 429]


def test_other_addresses_take_no_compressed_body(stack: Stack) -> None:
    client = stack.client(stack.principal_token)
    answer = client.post(f"{API}/events/sse-token", content=gzip.compress(b"{}"), headers=headers("gzip"))
    assert_problem(answer, 415, "unsupported_media_type")
