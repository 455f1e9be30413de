"""Too much of a thing: limits hold over all servers, tell when to come back, and hit nobody else."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from urllib.parse import urlsplit

import httpx2
import pytest
import redis

from gateway.identity.audit import GATHER_SECONDS
from tests.answers import assert_problem
from tests.client import API, LOOPBACK, Client
from tests.conftest import POSTGRES
from tests.metrics import metric
from tests.security import flood
from tests.stacks import Size, Stack
from tests.waiting import wait_until

STREAM = f"{API}/events/stream"
TICKETS_PER_SECOND = 5
FLOOD_SECONDS = 2.0
ASKERS = 4
GUESSES = 4_000
FAILURES_PER_MINUTE = 60
COMMITS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"


@pytest.fixture(scope="module")
def limited(stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stack]:
    """An installation whose limits are soon reached."""
    environment = {
        "VX11_TOKEN_RATE": f"{TICKETS_PER_SECOND}/s",
        "VX11_FAILED_CREDENTIAL_RATE": f"{FAILURES_PER_MINUTE}/m",
    }
    folder = tmp_path_factory.mktemp("limited")
    with Stack(stack_size, folder, postgres=pytestconfig.stash[POSTGRES], environment=environment) as stack:
        yield stack
        stack.assert_clean_logs()


@pytest.fixture
def reader(limited: Stack) -> Client:
    """A principal of this test alone."""
    return limited.client(limited.issue_token("principal")[0])


def assert_says_when(answer: httpx2.Response, reason: str) -> None:
    assert_problem(answer, 429, reason)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_a24_tickets_are_limited_for_each_principal_over_all_servers(limited: Stack, reader: Client) -> None:
    assert reader.token
    headers, urls = {"X-VX11-Token": reader.token}, [server.url for server in limited.servers]
    started = time.monotonic()

    def ask_on(url: str) -> list[httpx2.Response]:
        with httpx2.Client(base_url=url, headers=headers, **LOOPBACK) as client:
            answers = []
            while time.monotonic() < started + FLOOD_SECONDS:
                answers.append(client.post(f"{API}/events/sse-token"))
            return answers

    with ThreadPoolExecutor(ASKERS) as pool:
        of_all_askers = pool.map(ask_on, islice(cycle(urls), ASKERS))
        assert limited.client(limited.principal_token).issue_ticket().status_code == 200, (
            "another is not limited by that"
        )
        answers = [answer for some in of_all_askers for answer in some]
    seconds = time.monotonic() - started

    refused = [answer for answer in answers if answer.status_code != 200]
    granted = len(answers) - len(refused)
    # The first and the last second may be begun.
    assert TICKETS_PER_SECOND <= granted <= TICKETS_PER_SECOND * (seconds + 2)
    assert refused
    for answer in refused:
        assert_says_when(answer, "rate_limited")
    # And the other's.
    assert tickets_in_store(limited) <= granted + 1


def tickets_in_store(stack: Stack) -> int:
    if stack.size == "scaled":
        with redis.Redis.from_url(stack.redis.url) as store:
            return sum(1 for _ in store.scan_iter("vx11:sse_token:*", count=1000))
    return int(metric(stack.client(stack.principal_token), "vx11_ephemeral_token_cache_size_entries"))


def test_a28_guesses_are_refused_and_cost_neither_queries_nor_rows(limited: Stack, reader: Client) -> None:
    ticket = reader.ticket()
    before, started = transactions(limited), time.monotonic()
    rows_before = rows_of_refusals(limited)

    paths = (f"{STREAM}?token={uuid.uuid4()}" for _ in range(GUESSES))
    counts = flood.statuses(limited.a.url, paths, {"Host": "localhost"})

    assert counts.keys() == {401, 429}
    assert 0 < counts[401] <= 2 * FAILURES_PER_MINUTE
    seconds = time.monotonic() - started
    if limited.size == "scaled":
        # The servers' own looks at log, rights, index, watches, deliveries: some in a second, and no more.
        wait_until(lambda: transactions(limited) > before, "PostgreSQL has counted")
        assert transactions(limited) - before < GUESSES / 50 + 40 * seconds
    # Of each kind one at once, and each minute one with the count of its repeats. Other tests had refusals, too.
    assert rows_of_refusals(limited) - rows_before <= 3 + 2 * int((time.monotonic() - started) / GATHER_SECONDS)
    # The address is throttled for what fails, and for nothing else.
    assert_says_when(limited.client(None).get(STREAM, params={"token": str(uuid.uuid4())}), "rate_limited")
    assert_says_when(limited.client("x" * 20).poll(), "rate_limited")
    assert_problem(limited.client(None).poll(), 401, "missing_token")
    assert reader.poll().status_code == 200
    wait_until(lambda: limited.client(None).stream_status(token=ticket) == 200, "the good ticket opens a stream")


def transactions(stack: Stack) -> int:
    """How many PostgreSQL has counted for this installation until now."""
    if stack.size == "embedded":
        return 0
    name = urlsplit(stack.a.environment["VX11_DATABASE_URL"]).path.strip("/")
    return int(stack.postgres.ask(COMMITS, name)[0][0])


def test_a28_transactions_are_counted_as_they_happen(limited: Stack, reader: Client) -> None:
    if limited.size == "embedded":
        pytest.skip("SQLite does not count; the next test does")
    before = transactions(limited)
    for _ in range(100):
        reader.polled(limit=1)
    wait_until(lambda: transactions(limited) >= before + 100, "PostgreSQL has counted", timeout_seconds=20)


def rows_of_refusals(stack: Stack) -> int:
    code = "from gateway.models import TokenAudit; print(TokenAudit.objects.filter(action='refused').count())"
    return int(stack.a.python(code))
