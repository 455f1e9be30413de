"""The database is the truth: while it is away, nobody is told anything else."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from ledger.reader import CONNECTIONS
from tests.answers import assert_problem
from tests.cases.recording import Recovery
from tests.client import API, Json
from tests.conftest import OwnStack
from tests.faults.conftest import PostgresStack
from tests.faults.traffic import Traffic
from tests.stacks import Stack
from tests.stores import BREAK_CONNECTIONS, SERVERS_BACKENDS, PrivatePostgres, PrivateRedis
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

# The contract says two seconds; the rest is for a test machine that does other things as well.
REFUSAL_SECONDS = 3
# Enough for two servers at rest.
MAX_CONNECTIONS = 3 * CONNECTIONS
ASKED_AT_ONCE = 20


async def test_f07_over_immediate_restarts_of_the_database_every_answer_stays_true(
    postgres_stack: PostgresStack,
) -> None:
    stack = postgres_stack()
    async with Traffic(stack) as traffic:
        for _ in range(2):
            await traffic.stores(50)
            await asyncio.to_thread(stack.postgres.crash)
            await asyncio.to_thread(stack.postgres.start)
            await traffic.all_read_on()
        await traffic.stores(50)
        await traffic.settle()
        # Refusals are soon and plain, and streams that are open stay open.
        assert set(traffic.refused) <= {503}
        assert {reader.connections for reader in traffic.readers} == {1}


async def test_f07_connections_that_the_database_ends_are_made_anew(postgres_stack: PostgresStack) -> None:
    stack = postgres_stack()
    async with Traffic(stack) as traffic:
        for _ in range(3):
            await traffic.stores(50)
            await asyncio.to_thread(stack.postgres.break_connections)
        await traffic.stores(50)
        await traffic.settle()
        assert set(traffic.refused) <= {503}


def assert_says_that_the_database_is_away(stack: Stack, new_event: Callable[..., Json]) -> None:
    """In time, with 503 for whatever needs the database, and never with a word against the credential."""
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    for ask in (lambda: service.publish(new_event()), reader.issue_ticket, lambda: reader.poll(limit=1)):
        started = time.monotonic()
        answer = ask()
        assert time.monotonic() - started < REFUSAL_SECONDS
        assert_problem(answer, 503, "dependency_unavailable")
        assert answer.headers["retry-after"]
    assert reader.get("/health").status_code == 200
    ready = reader.get("/ready")
    assert ready.status_code == 503
    assert "database" in ready.text


def assert_recovers(stack: Stack, new_event: Callable[..., Json]) -> Json:
    """By itself; gives what was published then."""
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)

    def publishes() -> Json | None:
        answer = service.publish(new_event())
        return answer.json() if answer.status_code == 201 else None

    published = wait_until(publishes, "publishing works again")
    wait_until(lambda: reader.get("/ready").status_code == 200, "the server is ready again")
    assert reader.issue_ticket().status_code == 200
    return published


@contextmanager
def taken(postgres: PrivatePostgres) -> Iterator[None]:
    """Somebody else holds every connection that PostgreSQL grants, also those that the servers had."""
    with ExitStack() as held:
        administrator = held.enter_context(psycopg.connect(postgres.url(), autocommit=True))
        while administrator.execute(SERVERS_BACKENDS).fetchall() or not took_the_last(postgres, held):
            administrator.execute(BREAK_CONNECTIONS)
        yield


def took_the_last(postgres: PrivatePostgres, held: ExitStack) -> bool:
    """Takes one more; True if there was none to take."""
    try:
        held.enter_context(psycopg.connect(postgres.url()))
    except psycopg.OperationalError:
        return True
    return False


@pytest.mark.parametrize("fault", [PrivatePostgres.hung, taken])
def test_f08_a_database_that_hangs_or_has_no_connection_left_is_a_dependency_that_is_away(
    postgres_stack: PostgresStack,
    new_event: Callable[..., Json],
    fault: Callable[[PrivatePostgres], Iterator[None]],
    recovery: Recovery,
) -> None:
    stack = postgres_stack(max_connections=MAX_CONNECTIONS)
    with stack.client(stack.principal_token).stream() as stream:
        stream.connected()
        with fault(stack.postgres):  # type: ignore[attr-defined]  # what contextmanager makes of it
            assert_says_that_the_database_is_away(stack, new_event)
            # Who is connected stays connected.
            stream.named("heartbeat")
        with recovery("publishing, tickets and readiness are back after the database is"):
            published = assert_recovers(stack, new_event)
        assert stream.next(lambda frame: frame.is_event and frame.data["seq"] == published["seq"], "the event")


@pytest.fixture
def one_server(scaled_only: None, tmp_path: Path) -> Iterator[Stack]:
    """On a PostgreSQL that grants no more connections than the documents say that one server holds."""
    with PrivateRedis() as redis, PrivatePostgres(durable=True, max_connections=CONNECTIONS) as postgres:
        environment = {
            "VX11_DATABASE_URL": postgres.create_database("alone"),
            "VX11_REDIS_URL": redis.url,
            "VX11_SECRET_KEY": secrets.token_urlsafe(64),
        }
        with Stack("embedded", tmp_path / "stack", postgres=postgres, environment=environment) as stack:
            yield stack
            stack.assert_clean_logs()


async def test_f08_ten_connections_do_for_one_server_and_when_they_are_taken_it_says_so(
    one_server: Stack, new_event: Callable[..., Json], recovery: Recovery
) -> None:
    stack = one_server
    reader = stack.client(stack.principal_token)
    asked = [lambda: reader.poll(limit=1), reader.issue_ticket, lambda: reader.get(f"{API}/modules")] * ASKED_AT_ONCE
    async with Traffic(stack) as traffic:
        with ThreadPoolExecutor(len(asked)) as clients:
            answers = await asyncio.gather(*map(partial(asyncio.get_running_loop().run_in_executor, clients), asked))
        statuses = Counter(answer.status_code for answer in answers)
        # On a machine that is busy with other things some may wait too long for their turn.
        assert set(statuses) <= {200, 503}
        assert statuses[200] > len(asked) / 2
        await traffic.settle()
        assert set(traffic.refused) <= {503}
    with taken(stack.postgres):
        assert_says_that_the_database_is_away(stack, new_event)
    with recovery("publishing, tickets and readiness are back after a server's connections were all taken"):
        assert_recovers(stack, new_event)


def test_n07_a_database_that_takes_no_writes_is_not_ready_and_is_again_when_it_does(
    postgres_stack: PostgresStack, new_event: Callable[..., Json], recovery: Recovery
) -> None:
    stack = postgres_stack()
    reader = stack.client(stack.principal_token)
    wait_until(lambda: reader.get("/ready").status_code == 200, "the server is ready")
    stack.postgres.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    stack.postgres.ask("SELECT pg_reload_conf()")
    assert_problem(stack.client(stack.service_token).publish(new_event()), 503, "dependency_unavailable")
    ready = assert_problem(reader.get("/ready"), 503, "dependency_unavailable")
    assert ready["unavailable"] == ["database", "database_writes"]
    # Who reads is not concerned.
    assert reader.poll(limit=1).status_code == 200
    stack.postgres.ask("ALTER SYSTEM RESET default_transaction_read_only")
    stack.postgres.ask("SELECT pg_reload_conf()")
    with recovery("the server is ready after PostgreSQL takes writes again"):
        wait_until(lambda: reader.get("/ready").status_code == 200, "the server is ready again")
    assert stack.client(stack.service_token).publish(new_event()).status_code == 201


POISON = "poison"
POISONED = {
    "embedded": f"""
        CREATE TRIGGER poisoned AFTER INSERT ON events_event WHEN NEW.summary = '{POISON}'
        BEGIN SELECT RAISE(ABORT, 'refused after the row was written'); END
    """,
    "scaled": f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'refused at the commit'; END $$;
        CREATE CONSTRAINT TRIGGER poisoned AFTER INSERT ON events_event DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.summary = '{POISON}') EXECUTE FUNCTION refuse()
    """,
}


def test_f11_what_was_rolled_back_is_never_delivered_and_leaves_no_hole(
    own_stack: OwnStack, stack_size: str, new_event: Callable[..., Json], tmp_path: Path
) -> None:
    stack = own_stack()
    execute(stack.a.manage, POISONED[stack_size])
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with reader.stream() as stream:
        start = stream.connected().cursor
        for number in range(3):
            assert service.publish(new_event(summary=POISON)).status_code >= 500
            service.published(new_event(summary=f"good {number}"))
        live = stream.events(3)
    if stack_size == "embedded":
        # SQLite's refusal looks like a fault of the program, and is reported as one.
        assert "refused after the row was written" in stack.a.new_log()
    assert [event["summary"] for event in live] == ["good 0", "good 1", "good 2"]
    first = live[0]["seq"]
    assert [event["seq"] for event in live] == [first, first + 1, first + 2]
    assert [event["summary"] for event in reader.polled(since=start, limit=10)["events"]] == [
        "good 0",
        "good 1",
        "good 2",
    ]


def execute(manage: Callable[..., str], statements: str) -> None:
    """In the database of a server."""
    manage("shell", "-c", f"from django.db import connection; connection.cursor().execute({statements!r})")
