"""Chores and purges beside running servers: done by one of them, and in nobody's way."""

import contextlib
import json
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.client import Json
from tests.conftest import OwnStack
from tests.servers import RunningServer
from tests.stack.running_command import RunningCommand
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

OLD_ROWS = 50_000
# Every process looks for chores at least every five seconds; the rest is the work itself, on a busy machine.
DONE_WITHIN_SECONDS = 60
PRELUDE = """
import json
from datetime import timedelta
from django.utils import timezone
from gateway.models import Chore, TokenAudit
old = timezone.now() - timedelta(days=100)
"""
# Copied by the database: Django takes longer to make so many than a chore to delete them.
COPIES = """
from django.db import connection
TokenAudit.objects.create(action='ticket_issued', at=old, reason='old')
id, numbers = {{
    'sqlite': ('lower(hex(randomblob(16)))', 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x'
               ' FROM n LIMIT {count} - 1'),
    'postgresql': ('gen_random_uuid()', 'SELECT generate_series(1, {count} - 1)'),
}}[connection.vendor]
others = ', '.join(field.column for field in TokenAudit._meta.concrete_fields if field.name != 'id')
with connection.cursor() as cursor:
    cursor.execute(f"INSERT INTO gateway_tokenaudit (id, {{others}}) SELECT {{id}}, {{others}} "
                   f"FROM gateway_tokenaudit, ({{numbers}}) AS numbers WHERE reason = 'old'")
"""


def in_server(server: RunningServer, code: str) -> Any:
    """Runs Python with the server's settings; gives what it printed as JSON, if it did."""
    printed = server.python(PRELUDE + code)
    return json.loads(printed) if printed.strip() else None


def add_old_audit_rows(server: RunningServer, count: int) -> None:
    """Beside young ones: were nearly all rows old, they would not be deleted unasked."""
    in_server(server, COPIES.format(count=count))
    in_server(
        server, COPIES.replace("'old'", "'young'").replace("at=old", "at=timezone.now()").format(count=count // 8)
    )


def old_rows(server: RunningServer) -> int:
    """Asked past Django, which takes longer to start than some purges take."""
    query = "SELECT count(*) FROM gateway_tokenaudit WHERE reason = 'old'"
    url = server.environment.get("VX11_DATABASE_URL")
    if url:
        with psycopg.connect(url) as connection:
            rows = connection.execute(query).fetchall()
    else:
        file = Path(server.environment["VX11_DATA_DIR"]) / "operator.sqlite3"
        with contextlib.closing(sqlite3.connect(file)) as database:
            rows = database.execute(query).fetchall()
    return int(rows[0][0])


def chore(server: RunningServer, name: str) -> Json:
    fields = "'started_at', 'ended_at', 'outcome'"
    found: Json = in_server(
        server, f"print(json.dumps(Chore.objects.values({fields}).get(name='{name}'), default=str))"
    )
    return found


def make_due(server: RunningServer, name: str) -> None:
    in_server(server, f"Chore.objects.update_or_create(name='{name}', defaults={{'due_at': old, 'ended_at': None}})")


def ended(server: RunningServer, name: str) -> Json:
    def look() -> Json | None:
        found = chore(server, name)
        return found if found["ended_at"] else None

    return wait_until(look, f"{name} has ended", timeout_seconds=DONE_WITHIN_SECONDS)


def runs(stack: Stack, name: str) -> int:
    return sum(server.process.log().count(f"chore started name={name}") for server in stack.servers)


def test_what_is_due_is_done_once_by_one_of_the_servers(own_stack: OwnStack) -> None:
    stack = own_stack()
    add_old_audit_rows(stack.a, 1_500)
    make_due(stack.a, "purge_tokens")
    assert ended(stack.a, "purge_tokens")["outcome"] == "deleted 1500 audit rows"
    assert old_rows(stack.a) == 0
    # A look for this one is a look for the other too.
    make_due(stack.a, "prune_events")
    assert ended(stack.a, "prune_events")["outcome"] == "deleted 0 events"
    assert runs(stack, "purge_tokens") == runs(stack, "prune_events") == 1


def busy_server(stack: Stack) -> RunningServer:
    """The one that has begun to purge."""
    [busy] = wait_until(
        lambda: [server for server in stack.servers if "chore started name=purge_tokens" in server.process.log()],
        "somebody has begun",
        timeout_seconds=DONE_WITHIN_SECONDS,
    )
    return busy


def test_a_server_that_is_killed_in_the_middle_leaves_the_chore_to_the_next(own_stack: OwnStack) -> None:
    stack = own_stack()
    add_old_audit_rows(stack.a, OLD_ROWS)
    make_due(stack.a, "purge_tokens")
    busy = busy_server(stack)
    busy.kill()
    left = old_rows(stack.a)
    assert chore(stack.a, "purge_tokens")["outcome"].startswith("running in ")
    assert left > 0
    # As after the time that a claim lasts.
    make_due(stack.a, "purge_tokens")
    if stack.size == "embedded":
        busy.start()
    assert ended(stack.a, "purge_tokens")["outcome"] == f"deleted {left} audit rows"
    if not busy.running:
        busy.start()


def test_a_server_ends_within_its_time_in_the_middle_of_a_chore(own_stack: OwnStack) -> None:
    stack = own_stack()
    add_old_audit_rows(stack.a, OLD_ROWS)
    make_due(stack.a, "purge_tokens")
    busy = busy_server(stack)
    assert busy.stop() == 0
    stopped = chore(stack.a, "purge_tokens")
    assert stopped["outcome"] == "stopped: its process ended" or old_rows(stack.a) == 0
    busy.start()


def test_publishing_and_tickets_go_on_while_many_rows_are_purged(
    own_stack: OwnStack, new_event: Callable[..., Json], tmp_path: Path
) -> None:
    stack = own_stack()
    add_old_audit_rows(stack.a, OLD_ROWS)
    service, principal = stack.client(stack.service_token), stack.client(stack.principal_token, server=stack.b)
    statuses: list[int] = []
    with RunningCommand(tmp_path, stack.a.environment, "purge_tokens") as command:
        while "Deleted" not in command.out:
            for answer in (service.publish(new_event()), principal.issue_ticket()):
                # A caller that waits for longer than a second and a half is told 503.
                statuses.append(answer.status_code)
        assert command.end() == 0
        assert f"Deleted {OLD_ROWS} audit rows." in command.out
    assert set(statuses) == {200, 201}, f"{len(statuses)} answers"
    assert len(statuses) > 10
    assert old_rows(stack.a) == 0


def test_ctrl_c_ends_a_purge_in_order(own_stack: OwnStack, tmp_path: Path) -> None:
    stack = own_stack()
    add_old_audit_rows(stack.a, OLD_ROWS)
    with RunningCommand(tmp_path, stack.a.environment, "purge_tokens", yields=True) as command:
        wait_until(lambda: old_rows(stack.a) < OLD_ROWS, "something is deleted", timeout_seconds=40)
        command.signal(signal.SIGINT)
        assert command.end() == 130
        assert "Interrupted after deleting" in command.err
        assert "Traceback" not in command.err
    said = int(command.err.partition("deleting ")[2].split()[0])
    assert said == OLD_ROWS - old_rows(stack.a)
    noted = in_server(
        stack.a, "print(json.dumps(list(TokenAudit.objects.filter(action='purged').values_list('count'))))"
    )
    assert noted == [[said]]
