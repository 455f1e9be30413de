"""manage.py copy_from: an installation grows out of SQLite, and its clients notice a restart and nothing else."""

import re
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from events.models import Event as EventRow
from tests.client import API, Event
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.stores import PrivatePostgres
from vx11_site.data import copy_database

pytestmark = pytest.mark.timeout(180)

# More than one batch.
EVENTS = 2_300
BATCH = 460


@pytest.fixture
def postgres(stack_size: str, shared_stack: Stack) -> PrivatePostgres:
    if stack_size == "embedded":
        pytest.skip("there is no PostgreSQL to move to")
    return shared_stack.postgres


@pytest.fixture
def old(tmp_path: Path) -> Stack:
    return Stack("embedded", tmp_path / "old")


def database_of(stack: Stack) -> Path:
    return Path(stack.a.environment["VX11_DATA_DIR"]) / "operator.sqlite3"


def moved_to(old: Stack, postgres: PrivatePostgres, name: str) -> RunningServer:
    """A server that is like the old one, on an empty PostgreSQL."""
    server = RunningServer(
        old.folder / name, {**old.a.environment, "VX11_DATABASE_URL": postgres.create_database(name)}
    )
    server.environment["VX11_DATA_DIR"] = str(old.folder / name / "data")
    server.environment["VX11_SECRET_KEY_FILE"] = str(database_of(old).parent / "secret_key")
    server.manage("migrate", "--no-input")
    return server


def rows(server: RunningServer) -> str:
    """All that is in some of its tables, keys and times included."""
    code = """
from django.apps import apps
for name in ("events.Event", "events.StreamSession", "gateway.AccessToken", "gateway.TokenAudit", "auth.User",
             "operator_api.Window", "operator_api.ChatMessage", "auth.User_groups"):
    for row in apps.get_model(name).objects.order_by("pk").values_list():
        print(name, row)
"""
    return server.python(code)


def test_everything_moves_and_cursors_tokens_and_keys_stay_good(
    old: Stack, postgres: PrivatePostgres, new_event: Callable[..., Event]
) -> None:
    with old:
        token, _ = old.issue_token("principal", name="Ünïcode 'quoted' \\ name", scopes=("events:read", "chat:write"))
        reader, service = old.client(old.principal_token), old.client(old.service_token)
        cursors = {}
        for number in range(0, EVENTS, BATCH):
            batch = [new_event(summary=f"ü {n}", payload={"n": n}) for n in range(number, number + BATCH)]
            cursors[number + BATCH] = service.published(batch)["cursor"]
        assert reader.post(f"{API}/window/open", json={}).status_code == 200
        assert reader.post(f"{API}/chat", json={"message": "status"}).status_code == 200
        retried = {**new_event(summary="retried"), "event_id": "mine-1"}
        first = service.published(retried)
        refused = old.a.run_manage("copy_from", str(database_of(old)))
        assert "names no PostgreSQL" in refused.stderr
        new = moved_to(old, postgres, "moved")
        serving = new.run_manage("copy_from", str(database_of(old)))
        assert "Stop it first" in serving.stderr
    before = rows(old.a)

    said = new.manage("copy_from", str(database_of(old)))

    assert re.search(r"\d+  events\.Event\n", said)
    assert rows(new) == before
    again = new.run_manage("copy_from", str(database_of(old)))
    assert again.returncode != 0
    assert "is in use" in again.stderr
    assert rows(new) == before
    new.start()
    try:
        old.servers = [new]
        reader, service = old.client(old.principal_token), old.client(old.service_token)
        assert old.client(token).get(f"{API}/events").status_code == 200
        page = reader.polled(since=cursors[2 * BATCH], limit=500)
        assert [event["payload"]["n"] for event in page["events"]] == list(range(2 * BATCH, 2 * BATCH + 500))
        repeated = service.publish(retried)
        assert (repeated.status_code, repeated.json()["seq"]) == (200, first["seq"])
        following = service.published(new_event())
        assert following["seq"] == reader.polled(limit=2)["events"][0]["seq"] + 1
        assert reader.post(f"{API}/chat", json={"message": "status"}).status_code == 200
        old.issue_token("principal")
        assert new.run_manage("doctor").returncode == 0
    finally:
        new.stop()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("UPDATE gateway_accesstoken SET name = 'a' || char(0)", "gateway.AccessToken, between the keys"),
        ("UPDATE gateway_accesstoken SET name = printf('%.5000c', 'n')", "gateway.AccessToken, between the keys"),
        ("INSERT INTO auth_user_groups (user_id, group_id) VALUES (999, 1)", "auth_user_groups"),
    ],
    ids=["NUL", "too long", "names nobody"],
)
def test_a_row_that_only_sqlite_takes_is_named_and_nothing_is_copied(
    old: Stack, postgres: PrivatePostgres, made: str, words: str, new_event: Callable[..., Event]
) -> None:
    with old:
        old.client(old.service_token).published(new_event())
    with closing(sqlite3.connect(database_of(old), isolation_level=None)) as database:
        assert database.execute(made).rowcount > 0
    new = moved_to(old, postgres, f"unfit_{secrets.token_hex(4)}")
    done = new.run_manage("copy_from", str(database_of(old)))
    assert done.returncode != 0
    assert words in done.stderr
    assert "Nothing was copied" in done.stderr
    assert "Traceback" not in done.stderr
    assert "events.Event" not in rows(new)


def test_large_rows_are_not_all_in_memory_at_a_time() -> None:
    rows = [EventRow(summary="s" * 500, payload="p" * 60_000) for _ in range(100)] + [EventRow() for _ in range(1_500)]
    sizes = [len(batch) for batch in copy_database._batches(rows)]
    assert sum(sizes) == len(rows)
    assert max(sizes) == copy_database.BATCH_ROWS
    assert sizes[:2] == [34, 34]


def test_what_cannot_be_moved_is_refused_and_the_new_database_stays_empty(
    old: Stack, postgres: PrivatePostgres, tmp_path: Path
) -> None:
    with old:
        pass
    new = moved_to(old, postgres, "refusing")
    newer = tmp_path / "newer" / "operator.sqlite3"
    newer.parent.mkdir()
    newer.write_bytes(database_of(old).read_bytes())
    with closing(sqlite3.connect(newer, isolation_level=None)) as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('events', '9999_later', '2030-01-01')"
        )
    short = tmp_path / "short" / "operator.sqlite3"
    short.parent.mkdir()
    short.write_bytes(database_of(old).read_bytes()[:5000])
    for path, words in (
        (newer, "different versions"),
        (short, "short"),
        (tmp_path / "nowhere", "is no file"),
    ):
        done = new.run_manage("copy_from", str(path))
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert "gateway.AccessToken" not in rows(new)
