"""A runbook leads from its fault to its end: what it shows while something is away, and what it shows afterwards."""

from pathlib import Path

import pytest

from tests import runbook_pages
from tests.faults.conftest import PostgresStack
from tests.stacks import Stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def test_the_page_about_redis_names_it_while_it_is_away_and_ends_when_it_is_back(
    redis_stack: Stack, tmp_path: Path
) -> None:
    stack = redis_stack
    with runbook_pages.host_of(stack, tmp_path) as environment:
        stack.redis.stop()
        seen = runbook_pages.run(runbook_pages.section("redis-away.md", "See"), environment, check=False)
        assert '"degraded":["cache"]' in seen.replace(" ", "")
        assert "FAIL  redis" in seen
        assert "Connection refused" in seen
        stack.redis.start()
        runbook_pages.run(runbook_pages.section("redis-away.md", "Over when"), environment)


def test_the_page_about_the_database_names_it_while_it_is_away_and_ends_when_it_is_back(
    postgres_stack: PostgresStack, tmp_path: Path
) -> None:
    stack = postgres_stack()
    with runbook_pages.host_of(stack, tmp_path) as environment:
        stack.postgres.stop()
        seen = runbook_pages.run(runbook_pages.section("database-away.md", "See"), environment, check=False)
        assert "dependency_unavailable" in seen
        assert "FAIL  database" in seen
        assert "Connection refused" in seen
        stack.postgres.start()
        runbook_pages.run(runbook_pages.section("database-away.md", "Over when"), environment)
