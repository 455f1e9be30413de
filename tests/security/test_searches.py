"""Searches without pause cost those alone who ask them: streams, tickets, publishing and pages go on as before."""

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest

from tests.client import API, LOOPBACK
from tests.security.test_questions import EVENTS, long_log
from tests.stacks import Stack

__all__ = ("long_log",)

CLIENTS = 8
ROUNDS = 12
# Each of them passes over much, finds nothing or everything, or costs the predicate as much as a query may.
WORST: list[dict[str, Any]] = [
    {"q": "nothingofthekind"},
    {"q": "-nothingofthekind -common", "limit": 500},
    {"q": " OR ".join(f"payload.text.a{number}:*" for number in range(32))},
    {"q": " ".join(f"-z{number}*" for number in range(31)) + " absent", "limit": 500},
    {"q": "payload.text>=1 OR payload.number<0"},
    {"q": '"something happened" -module:common'},
    {"from": "-1d", "q": "s* h* x* t*", "limit": 500},
    {"q": "absent", "since": "EPOCH-1", "limit": 500},
]


async def search_on(url: str, token: str, number: int, epoch: str) -> Counter[int]:
    """Asks one question after the other; what each was answered with."""
    told: Counter[int] = Counter()
    async with httpx2.AsyncClient(base_url=url, headers={"X-VX11-Token": token}, timeout=30, **LOOPBACK) as http:
        for turn in range(ROUNDS):
            asked = dict(WORST[(number + turn) % len(WORST)])
            if "since" in asked:
                asked["since"] = asked["since"].replace("EPOCH", epoch)
            path = ("", "/facets", "/stats")[turn % 3 if "since" not in asked else 0]
            asked |= {"fields": "module,payload.text", "limit": 10} if path == "/facets" else {}
            answer = await http.get(f"{API}/events{path}", params=asked)
            told[answer.status_code] += 1
            if answer.status_code == 503:
                # There is no room: that is no failure of anything, and a client knows when to come back.
                assert answer.json()["reason"] == "at_capacity"
                assert int(answer.headers["Retry-After"]) > 0
    return told


@pytest.mark.parametrize("index", ["off"])
async def test_n04_eight_clients_search_without_pause_and_others_do_not_notice(long_log: Stack, index: str) -> None:
    stack = long_log
    other, service = stack.client(stack.issue_token("principal")[0]), stack.client(stack.service_token)
    epoch = other.cursor().rpartition("-")[0]
    tokens = [stack.issue_token("principal")[0] for _ in range(CLIENTS)]
    for token in tokens:
        stack.wait_until_known(token)

    def use_it() -> list[int]:
        """What everybody else does: also to read on from where they were."""
        told = [other.get("/ready").status_code, other.poll(limit=50).status_code]
        told += [other.issue_ticket().status_code]
        published = service.publish({"event_type": "a.b", "summary": "live"})
        told += [published.status_code]
        with other.stream(last_event_id=f"{epoch}-{EVENTS - 2_000}", follow="false") as stream:
            assert sum(frame.is_event for frame in stream.rest()) >= 2_000
        return told

    told: Counter[int] = Counter()
    with other.stream(last_event_id=other.cursor()) as live:
        live.connected()
        searching = asyncio.gather(
            *(search_on(stack.a.url, token, number, epoch) for number, token in enumerate(tokens))
        )
        used = 0
        while not searching.done():
            told.update(await asyncio.to_thread(use_it))
            used += 1
        answers = sum(await searching, Counter[int]())
        # All that was published meanwhile came, in order.
        seqs = [event["seq"] for event in live.events(used)]
    assert told.keys() <= {200, 201}
    assert seqs == sorted(set(seqs))
    assert answers.keys() <= {200, 503}
    assert answers[200] >= CLIENTS * ROUNDS / 2
