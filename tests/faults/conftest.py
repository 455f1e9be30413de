"""Fixtures of the fault tests: installations that are a test's own, and so may be broken."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import OwnStack
from tests.stacks import Size, Stack
from tests.stores import PrivatePostgres


@pytest.fixture
def scaled_only(stack_size: Size) -> None:
    if stack_size == "embedded":
        pytest.skip("an embedded installation has neither Redis nor PostgreSQL nor a second server")


@pytest.fixture
def redis_stack(scaled_only: None, own_stack: OwnStack) -> Stack:
    """An installation whose Redis is its own."""
    return own_stack()


PostgresStack = Callable[..., Stack]


@pytest.fixture
def postgres_stack(scaled_only: None, tmp_path: Path) -> Iterator[PostgresStack]:
    """Starts an installation whose PostgreSQL is its own, and durable, as an operator's is."""
    with ExitStack() as started:

        def start(*, max_connections: int = 100, **environment: str) -> Stack:
            postgres = started.enter_context(PrivatePostgres(durable=True, max_connections=max_connections))
            stack = Stack("scaled", tmp_path / "stack", postgres=postgres, environment=environment)
            started.callback(stack.assert_clean_logs)
            return started.enter_context(stack)

        yield start
