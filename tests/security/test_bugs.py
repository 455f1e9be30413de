"""A bug tells its caller a correlation id and nothing else, and the log everything but secrets."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.answers import PROBLEM_FIELDS, assert_problem
from tests.client import API, Client
from tests.conftest import POSTGRES
from tests.security.bugs import answer_of_bug, unreadable_rights
from tests.stacks import TRACEBACK, Size, Stack

# Far more than are asked for in the second after which one of them meets the bug.
TRIES = 50


@pytest.fixture(params=["false", "true"], ids=["without debug", "with debug"])
def broken(
    request: pytest.FixtureRequest,
    stack_size: Size,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> Iterator[Stack]:
    """Its log is not asserted to be clean: the bug is in it."""
    environment = {"VX11_DEBUG": request.param, "VX11_LOG_LEVEL": "DEBUG" if request.param == "true" else "INFO"}
    with Stack(stack_size, tmp_path, postgres=pytestconfig.stash[POSTGRES], environment=environment) as stack:
        yield stack


def test_l02_a_bug_shows_neither_tickets_nor_tokens(broken: Stack) -> None:
    client = Client(broken.a.url, token=broken.principal_token, credentials=set())
    tickets = [client.ticket() for _ in range(TRIES)]
    used: list[str] = []

    def open_stream() -> httpx.Response:
        used.append(tickets.pop())
        with broken.client(None).stream(token=used[-1], follow="false") as stream:
            stream.response.read()
            return stream.response

    with unreadable_rights(broken):
        assert_no_secret(broken, answer_of_bug(open_stream), used[-1])
        answer = answer_of_bug(lambda: client.get(f"{API}/events", params={"correlation_id": "a-query-of-mine"}))
        assert_no_secret(broken, answer, broken.principal_token)
        assert "a-query-of-mine" not in answer.text


def assert_no_secret(stack: Stack, answer: httpx.Response, secret: str) -> None:
    body = assert_problem(answer, 500, "internal_error")
    assert set(body) == PROBLEM_FIELDS
    assert secret not in answer.text
    log = stack.a.process.log()
    assert TRACEBACK in log
    assert body["correlation_id"] in log
    assert secret not in log
