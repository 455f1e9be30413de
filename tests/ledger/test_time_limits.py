"""No statement runs for longer than its limit, on either database, on the connection of whichever thread."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, connections, transaction

from ledger.sqlite3 import base
from vx11_site.config import postgres

pytestmark = pytest.mark.usefixtures("ledger")

on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL keeps its limit by itself")
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT {} FROM n"
# Would take minutes.
ENDLESS = NUMBERS.format(10**10, "COUNT(*)")


def in_a_thread(function: Callable[[], Any]) -> Any:
    """With a connection of its own, which is closed."""

    def run() -> Any:
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def ask(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def test_n02_every_thread_has_the_same_limit_on_either_database() -> None:
    def limit_seconds() -> float:
        if connection.vendor == "sqlite":
            connection.ensure_connection()
            return float(connection.connection.watch.limit_seconds)
        return float(ask("SELECT extract(epoch FROM current_setting('statement_timeout')::interval)"))

    assert in_a_thread(limit_seconds) == base.STATEMENT_LIMIT_SECONDS
    assert f"statement_timeout={base.STATEMENT_LIMIT_SECONDS * 1000:.0f}" in postgres.TIME_LIMITS


@on_sqlite
class TestSqlite:
    def test_n02_a_statement_without_end_is_given_up_and_its_connection_is_as_before(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "STATEMENT_LIMIT_SECONDS", 0.05)

        def write_and_ask() -> None:
            with transaction.atomic():
                Group.objects.create(name="not kept")
                ask(ENDLESS)

        def read() -> Any:
            with pytest.raises(OperationalError, match="interrupted"):
                ask(ENDLESS)
            with pytest.raises(OperationalError, match="interrupted"):
                write_and_ask()
            return ask("SELECT 7"), Group.objects.filter(name="not kept").exists()

        assert in_a_thread(read) == (7, False)

    def test_n02_other_threads_go_on_while_a_statement_has_no_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, over = threading.Event(), threading.Event()

        def until_told() -> float:
            begun.set()
            return float("inf") if over.is_set() else 0.0

        def read() -> None:
            connection.ensure_connection()
            connection.connection.watch.limit_seconds = 1.0
            monkeypatch.setattr(base, "monotonic", until_told)
            with pytest.raises(OperationalError, match="interrupted"):
                ask(ENDLESS)

        thread = threading.Thread(target=in_a_thread, args=(read,))
        thread.start()
        assert begun.wait(20)
        assert thread.is_alive()
        assert in_a_thread(lambda: ask("SELECT 7")) == 7
        over.set()
        thread.join(20)
        assert not thread.is_alive()

    @pytest.mark.parametrize("way", ["fetchmany", "fetchone", "iteration"])
    def test_n02_who_takes_long_over_each_row_is_not_cut_off(self, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
        now = [0.0]
        monkeypatch.setattr(base, "monotonic", lambda: now[0])
        # Enough steps between two rows that SQLite asks.
        rows = NUMBERS.format(100_000, "i") + " WHERE i % 50000 = 0"
        with connection.cursor() as cursor:
            cursor.execute(rows)
            read = {"fetchmany": lambda: cursor.fetchmany(1)[0], "fetchone": cursor.fetchone}.get(way)
            rows_of = iter(cursor.cursor)
            found = []
            for _ in range(2):
                found.append((read() if read else next(rows_of))[0])
                now[0] += 10 * base.STATEMENT_LIMIT_SECONDS
        assert found == [50_000, 100_000]

    def test_n02_a_commit_is_never_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with transaction.atomic():
            Group.objects.create(name="kept")
            assert connection.connection.watch.began_at == base.NEVER
            monkeypatch.setattr(base, "monotonic", lambda: 1e18)
        monkeypatch.undo()
        assert Group.objects.filter(name="kept").exists()

    def test_n02_a_process_that_ends_gives_up_what_runs_and_not_what_begins(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "_given_up_at", -base.NEVER)
        begun = threading.Event()

        def now() -> float:
            begun.set()
            return time.monotonic()

        def read() -> None:
            connection.ensure_connection()
            connection.connection.watch.limit_seconds = base.NEVER
            monkeypatch.setattr(base, "monotonic", now)
            with pytest.raises(OperationalError, match="interrupted"):
                ask(ENDLESS)

        thread = threading.Thread(target=in_a_thread, args=(read,))
        thread.start()
        assert begun.wait(20)
        base.give_up_running()
        thread.join(20)
        assert not thread.is_alive()
        assert ask(NUMBERS.format(200_000, "COUNT(*)")) == 200_000

    def test_n02_no_pattern_runs_in_the_database(self) -> None:
        Group.objects.create(name="a" * 40 + "!")
        # In a minute that would not have ended, and nothing else would have run in this process.
        for look_up in ("name__regex", "name__iregex"):
            with pytest.raises(OperationalError):
                list(Group.objects.filter(**{look_up: "(a+)+$"}))
