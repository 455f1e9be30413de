"""A bug tells its caller a correlation id and nothing else, and the log everything but secrets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers import PROBLEM_FIELDS, Answer, assert_problem
from tests.client import API
from tests.conftest import POSTGRES
from tests.security.bugs import environment_with_bug, ticket_of_bug, token_of_bug
from tests.stacks import TRACEBACK, Size, Stack

STREAM = f"{API}/events/stream"
FILTER = "a-query-of-mine"


@pytest.fixture(scope="module", params=["false", "true"], ids=["without debug", "with debug"])
def broken(
    request: pytest.FixtureRequest,
    stack_size: Size,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Stack]:
    """Its log is not asserted to be clean: the bug is in it."""
    folder: Path = tmp_path_factory.mktemp("broken")
    environment = environment_with_bug(folder) | {"VX11_DEBUG": request.param}
    environment |= {"VX11_LOG_LEVEL": "DEBUG" if request.param == "true" else "INFO"}
    with Stack(stack_size, folder, postgres=pytestconfig.stash[POSTGRES], environment=environment) as stack:
        yield stack


def test_l02_a_bug_while_a_stream_is_opened_shows_no_ticket(broken: Stack) -> None:
    ticket = ticket_of_bug()
    answer = broken.client(None).get(STREAM, params={"token": ticket, "correlation_id": FILTER})
    assert_tells_nothing(broken, answer, answer.text, ticket)


@pytest.mark.parametrize(("method", "path"), [("GET", "events"), ("POST", "events"), ("POST", "events/sse-token")])
def test_l02_a_bug_while_a_token_is_looked_at_shows_no_token(broken: Stack, method: str, path: str) -> None:
    token = token_of_bug()
    answer = broken.client(token).request(method, f"{API}/{path}", params={"correlation_id": FILTER})
    assert_tells_nothing(broken, answer, answer.text, token)


def assert_tells_nothing(stack: Stack, answer: Answer, text: str, secret: str) -> None:
    body = assert_problem(answer, 500, "internal_error")
    assert set(body) == PROBLEM_FIELDS
    assert secret not in text
    assert FILTER not in text
    log = stack.a.process.log()
    assert TRACEBACK in log
    assert body["correlation_id"] in log
    assert secret not in log
