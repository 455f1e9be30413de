"""Guesses in one process: what they ask of the database."""

import asyncio
import uuid
from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper

from events.stream.consumer import stream_application
from gateway.identity.principals import directory
from tests.fresh import begin_anew

pytestmark = pytest.mark.usefixtures("ledger")

GUESSES = 500


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that Django's database layer runs from now on, in whichever thread."""
    seen: list[str] = []
    execute = CursorWrapper.execute

    def note(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        seen.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", note)
    return seen


async def guess(query: str) -> int:
    """The status of a request for a stream."""
    answers: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/operator/api/events/stream",
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("192.0.2.1", 1234),
    }
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if requests:
            return requests.pop()
        # Nobody hangs up: this wait is cancelled with the request.
        never: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        return await never

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    await stream_application(scope, receive, send)
    return int(answers[0]["status"])


async def test_a28_a_ticket_that_never_was_costs_no_query(queries: list[str]) -> None:
    found = {await guess(f"token={uuid.uuid4()}") for _ in range(GUESSES)}
    assert found <= {401, 429}
    # The one audit row, written in a transaction.
    assert len([sql for sql in queries if sql.startswith(("SELECT", "INSERT", "UPDATE"))]) <= 5


async def test_a28_queries_are_seen_where_there_are_some(queries: list[str]) -> None:
    assert await guess("") == 401
    begin_anew(directory)
    await directory.current()
    assert queries
