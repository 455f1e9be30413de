"""Breaking off: what is not wanted any more is not sent, and an error of it is not raised."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection

from ledger import interruption

pytestmark = pytest.mark.usefixtures("ledger")


class Raw:
    """A driver's connection."""

    def __init__(self, error: Exception | None = None, *, descriptor: int = -1) -> None:
        self.asked: list[float] = []
        self._error = error
        self._descriptor = descriptor

    def cancel_safe(self, *, timeout: float) -> None:
        self.asked.append(timeout)
        if self._error is not None:
            raise self._error

    def fileno(self) -> int:
        if self._error is not None:
            raise self._error
        return self._descriptor


def postgresql(raw: Any) -> Any:
    return SimpleNamespace(vendor="postgresql", connection=raw)


def test_a_cancellation_is_sent_only_while_it_is_wanted_and_for_a_limited_time() -> None:
    raw = Raw()
    interruption._cancel(raw, lambda: False)
    assert raw.asked == []
    interruption._cancel(raw, lambda: True)
    assert raw.asked == [interruption.CANCEL_WAIT_SECONDS]


def test_a_cancellation_that_fails_is_no_error_of_the_caller() -> None:
    raw = Raw(OSError("gone"))
    interruption._cancel(raw, lambda: True)
    assert raw.asked


def test_a_cancellation_is_sent_from_a_thread_of_its_own() -> None:
    raw = Raw()
    interruption.interrupt(postgresql(raw), lambda: True)
    interruption._canceller().submit(int).result(10)
    assert raw.asked == [interruption.CANCEL_WAIT_SECONDS]


def test_a_connection_that_is_cut_is_at_its_end_for_both_and_its_descriptor_stays_the_driver_s() -> None:
    ours, other = socket.socketpair()
    with ours, other:
        interruption.cut(postgresql(Raw(descriptor=ours.fileno())))
        assert other.recv(1) == b""
        assert ours.recv(1) == b""
        assert ours.fileno() >= 0
        ours.getsockname()


def test_a_connection_that_is_not_there_or_closed_by_now_is_not_cut() -> None:
    for stop in (interruption.cut, lambda one: interruption.interrupt(one, lambda: True)):
        stop(postgresql(None))
        stop(SimpleNamespace(vendor="sqlite", connection=None))  # type: ignore[arg-type]
    interruption.cut(postgresql(Raw(OSError("closed"))))


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL's statements are cancelled by the driver")
@pytest.mark.parametrize("way", ["cut", "interrupt"])
def test_a_statement_of_sqlite_ends_with_an_error(way: str) -> None:
    connection.ensure_connection()
    raw = connection.connection
    stop = interruption.cut if way == "cut" else lambda one: interruption.interrupt(one, lambda: True)
    raw.create_function("stop", 0, lambda: stop(connection))
    with connection.cursor() as cursor, pytest.raises(OperationalError, match="interrupted"):
        cursor.execute("WITH RECURSIVE n(i) AS (SELECT stop() UNION ALL SELECT i FROM n) SELECT count(*) FROM n")
