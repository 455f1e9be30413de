"""Stopping a server: its readers hear of it, their answers end whole, and nothing is logged as broken."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.accounts import add_account, change_account
from tests.client import LOOPBACK, Client, Frame
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.servers import ROOT


def end_of_stream(client: Client) -> list[Frame]:
    """Everything from a stream's start to its end; httpx2 fails if the last chunk is missing."""
    with client.stream() as stream:
        return stream.rest()


def test_f14_readers_of_a_server_that_is_stopped_hear_goodbye_and_their_answers_end_whole(own_stack: OwnStack) -> None:
    stack = own_stack()
    client = stack.client(stack.principal_token)
    with ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(end_of_stream, client) for _ in range(5)]
        service = stack.client(stack.service_token)
        while service.published({"event_type": "a", "summary": "to find out who is connected"}):
            if metric(client, "vx11_streams_active") == 5:
                break
        stack.a.stop()
        for reader in readers:
            last = reader.result(timeout=20)[-1]
            assert (last.name, last.data["reason"]) == ("stream-end", "draining")
            assert 3000 <= last.data["retry_ms"] <= 7000


def test_a_request_that_has_not_come_whole_does_not_disturb_the_end(own_stack: OwnStack) -> None:
    stack = own_stack()
    address = urlsplit(stack.a.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(b"POST /operator/api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        # The answer to a later request: by then the server has read what came before.
        assert stack.client(None).get("/health").status_code == 200
        stack.a.stop()
        assert connection.recv(1000) == b""
    assert "Traceback" not in stack.a.process.log_tail()


# The history of anything in the admin is read for ever, and nothing else is.
ENDLESS = """
from django.db import connection
numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
endless = f"{numbers} SELECT kept.* FROM n CROSS JOIN kept WHERE n.i < 0"
with connection.cursor() as cursor:
    cursor.execute("ALTER TABLE django_admin_log RENAME TO kept")
    cursor.execute(f"CREATE VIEW django_admin_log AS {endless}")
"""
UNLIMITED = "import ledger.sqlite3.base\nledger.sqlite3.base.STATEMENT_LIMIT_SECONDS = float('inf')\n"


@pytest.mark.once
@pytest.mark.timeout(120)
def test_n02_a_server_ends_when_told_to_while_a_statement_runs_and_answers_until_then(
    own_stack: OwnStack, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(UNLIMITED)
    stack = own_stack(VX11_DRAIN_SECONDS="1", PYTHONPATH=f"{tmp_path}:{ROOT}")
    account = add_account(stack, group="administrator")
    change_account(account, "user.is_staff = user.is_superuser = True; user.save()")
    session = {"vx11_session": account.new_session()}
    stack.a.python(ENDLESS)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(
            httpx2.get, f"{stack.a.url}/admin/auth/group/1/history/", cookies=session, timeout=60, **LOOPBACK
        )
        client = stack.client(stack.principal_token)
        for _ in range(5):
            assert client.get("/health").status_code == client.poll().status_code == 200
        assert not asked.done()
        assert stack.a.stop() == 0
        assert asked.exception(timeout=20) or asked.result().status_code == 503


def test_a_server_whose_terminal_closes_ends_as_one_that_is_told_to(own_stack: OwnStack) -> None:
    stack = own_stack()
    with stack.client(stack.principal_token).stream() as stream:
        stream.connected()
        assert stack.a.process.end(signal.SIGHUP) == 0
        last = stream.rest()[-1]
        assert (last.name, last.data["reason"]) == ("stream-end", "draining")
