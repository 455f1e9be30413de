"""What Prometheus is told while something is away: enough for its alerts, and in time."""

import time

import pytest

from tests.faults.conftest import PostgresStack
from tests.metrics import figures, metric
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

DATABASE_UP = 'vx11_dependency_up{dependency="database"}'
CACHE_UP = 'vx11_dependency_up{dependency="cache"}'
# What the shipped configuration gives a scrape.
SCRAPE_TIMEOUT_SECONDS = 10


def test_a_redis_that_hangs_is_told_within_a_scrape(redis_stack: Stack) -> None:
    client = redis_stack.client(redis_stack.principal_token)
    assert metric(client, CACHE_UP) == 1
    with redis_stack.redis.hung():
        started = time.monotonic()
        seen = figures(client)
        assert time.monotonic() - started < SCRAPE_TIMEOUT_SECONDS
        assert (seen[CACHE_UP], seen[DATABASE_UP]) == (0, 1)
        assert seen['vx11_modules{category="core",status="DOWN"}'] == 1
        # How many tickets there are, nobody can say now.
        assert str(seen["vx11_ephemeral_token_cache_size_entries"]) == "nan"
    wait_until(lambda: metric(client, CACHE_UP) == 1, "Redis is back", timeout_seconds=30)


def test_a_database_that_is_away_is_told_while_rights_are_known_and_then_nothing_is(
    postgres_stack: PostgresStack,
) -> None:
    stack = postgres_stack()
    client = stack.client(stack.principal_token)
    assert metric(client, DATABASE_UP) == 1
    stack.postgres.crash()
    started = time.monotonic()
    seen = figures(client)
    assert time.monotonic() - started < SCRAPE_TIMEOUT_SECONDS
    assert (seen[CACHE_UP], seen[DATABASE_UP]) == (1, 0)
    assert str(seen["vx11_window_open_seconds"]) == "nan"
    # As docs/monitoring.md says: after twenty seconds nobody's rights are known.
    wait_until(lambda: client.get("/metrics").status_code == 503, "nobody may read figures", timeout_seconds=40)
    stack.postgres.start()
    wait_until(lambda: client.get("/metrics").status_code == 200, "figures are back", timeout_seconds=40)
    assert metric(client, DATABASE_UP) == 1
