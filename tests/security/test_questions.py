"""One caller's questions to a long log: answered whatever is rare or absent, and at no cost of others."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import psycopg
import pytest

from tests.client import API, LOOPBACK
from tests.conftest import POSTGRES
from tests.stacks import Size, Stack

EVENTS, AT_ONCE = 400_000, 16
# The text of each event makes it about 400 bytes long.
FILL = {
    "embedded": """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < EVENTS)
        INSERT INTO events_event (seq, event_id, event_type, summary, module, severity, correlation_id, payload,
                                  created_at, publisher, fingerprint)
        SELECT i, 'e' || i, 'test.happened', 'something happened', CASE i WHEN 7 THEN 'rare' ELSE 'common' END, 'info',
               CASE WHEN i < EVENTS / 2 THEN 'c' || (i / 100) ELSE 'long-' || (i % 3) END,
               '{"text": "TEXT"}', datetime('now', '-1 minute'), 'p-test', ''
        FROM n
    """,
    "scaled": """
        INSERT INTO events_event (seq, event_id, event_type, summary, module, severity, correlation_id, payload,
                                  created_at, publisher, fingerprint)
        SELECT i, 'e' || i, 'test.happened', 'something happened', CASE i WHEN 7 THEN 'rare' ELSE 'common' END, 'info',
               CASE WHEN i < EVENTS / 2 THEN 'c' || (i / 100) ELSE 'long-' || (i % 3) END,
               '{"text": "TEXT"}', now() - interval '1 minute', 'p-test', ''
        FROM generate_series(1, EVENTS) AS n(i)
    """,
}


@pytest.fixture(scope="module")
def long_log(
    stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Stack]:
    """A log in which one event, the seventh, is of the module `rare`."""
    folder = tmp_path_factory.mktemp("long")
    # What is found without an index, and how far one question gets.
    environment = {"VX11_SEARCH_INDEX": "off"}
    with Stack(stack_size, folder, postgres=pytestconfig.stash[POSTGRES], environment=environment) as stack:
        stack.client(stack.principal_token).cursor()
        with closing(_opened(stack)) as database:
            fill = FILL.get(stack_size, FILL["scaled"])
            database.execute(fill.replace("EVENTS", str(EVENTS)).replace("TEXT", "x" * 150))
            database.execute(f"UPDATE events_loghead SET last_seq = {EVENTS}")  # noqa: S608 - a number of ours
            # As is done by itself for a table that grew.
            database.execute("ANALYZE")
            database.commit()
        yield stack
        stack.assert_clean_logs()


def _opened(stack: Stack) -> Any:
    """The database of the servers, without their limits of time."""
    if stack.size == "embedded":
        return sqlite3.connect(stack.a.data / "operator.sqlite3", timeout=20)
    return psycopg.connect(stack.a.environment["VX11_DATABASE_URL"])


async def asked(http: httpx2.AsyncClient, **params: Any) -> list[httpx2.Response]:
    """All answers to a search, which goes on from each until it is complete."""
    answers = [await http.get(f"{API}/events", params=params)]
    while answers[-1].status_code == 200 and not answers[-1].json()["complete"]:
        page = answers[-1].json()
        on = {"since": page["cursor"]} if "since" in params else {"before": page["first_cursor"]}
        answers.append(await http.get(f"{API}/events", params={**params, **on}))
    return answers


async def test_n04_sixteen_searches_for_what_is_rare_are_answered_and_others_do_not_notice(long_log: Stack) -> None:
    stack = long_log
    token, other = stack.issue_token("principal")[0], stack.client(stack.issue_token("principal")[0])
    epoch = stack.client(stack.principal_token).cursor().rpartition("-")[0]
    service = stack.client(stack.service_token)
    searches: list[dict[str, Any]] = [
        {"module": "absent"},
        {"severity": "critical", "limit": 1},
        {"module": "rare"},
        {"since": f"{epoch}-7", "event_type": "absent"},
        {"correlation_id": "long-0,long-1,long-2", "module": "absent"},
    ]
    told: list[int] = []
    headers = {"X-VX11-Token": token}
    async with httpx2.AsyncClient(base_url=stack.a.url, headers=headers, timeout=60, **LOOPBACK) as http:
        asking = asyncio.gather(*(asked(http, **searches[number % len(searches)]) for number in range(AT_ONCE)))
        while not asking.done():
            told.append((await asyncio.to_thread(other.get, "/ready")).status_code)
            told.append((await asyncio.to_thread(other.poll, limit=5)).status_code)
            told.append((await asyncio.to_thread(other.issue_ticket)).status_code)
            told.append((await asyncio.to_thread(service.publish, {"event_type": "a", "summary": "b"})).status_code)
        answers = await asking
    assert {answer.status_code for search in answers for answer in search} == {200}
    assert set(told) == {200, 201}
    for number, search in enumerate(answers):
        seqs = [event["seq"] for answer in search for event in answer.json()["events"]]
        assert seqs == ([7] if searches[number % len(searches)].get("module") == "rare" else [])
        assert len(search) > 1


def test_n04_a_search_says_how_far_it_came_and_goes_on_from_there(long_log: Stack) -> None:
    reader = long_log.client(long_log.principal_token)
    first = reader.polled(module="rare")
    assert (first["events"], first["total"], first["has_more"], first["complete"]) == ([], None, True, False)
    assert first["searched_to"]["cursor"] == first["cursor"]
    second = reader.polled(module="rare", before=first["first_cursor"])
    assert second["searched_to"] == first["searched_from"]
    assert number_of(second["searched_from"]["cursor"]) < number_of(second["searched_to"]["cursor"])


def number_of(cursor: str) -> int:
    return int(cursor.rpartition("-")[2])


def test_n04_what_an_index_leads_to_is_found_at_once_however_old(long_log: Stack) -> None:
    page = long_log.client(long_log.principal_token).polled(correlation_id="c0", limit=500)
    assert (len(page["events"]), page["total"], page["complete"], page["has_more"]) == (99, 99, True, False)


def test_n04_counts_over_time_say_how_far_back_they_go(long_log: Stack) -> None:
    answer = long_log.client(long_log.principal_token).get(f"{API}/events/stats", params={"module": "common"})
    assert answer.status_code == 200
    counted = sum(bucket["info"] for bucket in answer.json()["buckets"])
    if answer.json()["complete"]:
        assert counted == EVENTS - 1
    else:
        assert 0 < counted < EVENTS
