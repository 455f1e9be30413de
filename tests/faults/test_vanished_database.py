"""PostgreSQL's host vanishes without a word while a commit waits for it, and a new primary waits in the URL."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from tests.cases.recording import Recovery
from tests.client import Client, Json
from tests.faults.far_networks import FarNetwork
from tests.proxies import CHUNK_BYTES
from tests.stacks import Stack
from tests.stores import PrivatePostgres
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

# docs/scaling.md; and the time that a new connection, the retry and this machine take.
NOTICED_SECONDS = 20 + 10
WAITS_FOR_THE_HEAD = """
    SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%loghead%%FOR UPDATE'
"""


class FarEnd:
    """Passes on what comes to the far network's address to PostgreSQL."""

    def __init__(self, network: FarNetwork, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = network.listen()
        self._sockets: list[socket.socket] = [self._listener]
        self._there: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self) -> None:
        """What PostgreSQL has of these connections ends, as with its host; nothing of that passes the cable."""
        for one in self._there:
            # Some are closed already.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            there = socket.create_connection(self._target)
            self._sockets += [here, there]
            self._there.append(there)
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK_BYTES):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def vanishing(scaled_only: None, tmp_path: Path) -> Iterator[tuple[Stack, FarNetwork, FarEnd]]:
    """An installation that reaches PostgreSQL over a cable, and another way when that is gone."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for a network of its own")
    with ExitStack() as started:
        network = started.enter_context(FarNetwork())
        postgres = started.enter_context(PrivatePostgres(durable=True))
        far_end = FarEnd(network, postgres.port)
        started.callback(far_end.close)
        near = postgres.create_database("operator", migrated=True)
        hosts = f"{network.far_address}:{far_end.port},127.0.0.1:{postgres.port}"
        # Otherwise the answer to a lock that is not free could come before the cable is pulled.
        url = f"{near.replace(f'127.0.0.1:{postgres.port}', hosts)}?options=-c%20lock_timeout%3D60000"
        stack = Stack("scaled", tmp_path / "stack", postgres=postgres, environment={"VX11_DATABASE_URL": url})
        started.callback(stack.assert_clean_logs)
        yield started.enter_context(stack), network, far_end


def test_n07_a_database_that_vanishes_while_a_commit_waits_is_noticed_and_the_next_one_is_found(
    vanishing: tuple[Stack, FarNetwork, FarEnd], new_event: Callable[..., Json], recovery: Recovery
) -> None:
    stack, network, far_end = vanishing
    service = stack.client(stack.service_token)
    service.published(new_event())
    with psycopg.connect(stack.postgres.url("operator")) as holder:
        holder.execute("SELECT 1 FROM events_loghead FOR UPDATE")
        publishing = threading.Thread(target=service.publish, args=(new_event(summary="in the middle"),))
        publishing.start()
        wait_until(lambda: stack.postgres.ask(WAITS_FOR_THE_HEAD), "the writer waits in a query")
        network.unplug()
        far_end.lose()
        holder.rollback()
    publishing.join()
    with recovery("publishing is back after PostgreSQL's host vanished in the middle of a commit"):
        wait_until(
            lambda: service.publish(new_event(summary="after")).status_code == 201,
            "publishing is back",
            timeout_seconds=NOTICED_SECONDS,
        )
    wait_until(lambda: service.get("/ready").status_code == 200, "the server is ready again")
    reader = stack.client(stack.principal_token)
    # Each connection finds out by itself, when it is used.
    page = wait_until(lambda: answered(reader), "questions are answered", timeout_seconds=20)
    summaries = [event["summary"] for event in page["events"]]
    assert summaries.count("in the middle") <= 1


def answered(reader: Client) -> Json | None:
    answer = reader.poll(limit=500)
    return answer.json() if answer.status_code == 200 else None
