"""Breaking off what another thread asks the database, or waits for."""

import contextlib
import functools
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

# PostgreSQL takes a cancellation over a connection of its own, which may hang as the first one does.
CANCEL_WAIT_SECONDS = 2.0


def interrupt(connection: BaseDatabaseWrapper, still: Callable[[], bool]) -> None:
    """End the statement that runs on the connection, with an OperationalError where it runs. Does not wait for it.

    `still` returns whether that is still wanted when the cancellation is sent, which may be a moment later.
    """
    raw = connection.connection
    if raw is None:
        return
    if connection.vendor == "sqlite":
        raw.interrupt()
    else:
        _canceller().submit(_cancel, raw, still)


def cut(connection: BaseDatabaseWrapper) -> None:
    """End the connection itself, for a database that does not even answer a cancellation.

    The thread that waits there gets an OperationalError at once. Whether a COMMIT that was on its way took place is not
    known then, as after any connection that is lost.
    """
    raw = connection.connection
    if raw is None:
        return
    if connection.vendor == "sqlite":
        raw.interrupt()
        return
    # The descriptor is the driver's: a copy of it, so that this socket object does not close what is not its own.
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as copy:
        copy.shutdown(socket.SHUT_RDWR)


@functools.cache
def _canceller() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="ledger-canceller")


def _cancel(raw: Any, still: Callable[[], bool]) -> None:
    if not still():
        return
    # It may be closed by now, or its host be gone: then there is nothing to break off.
    with contextlib.suppress(Exception):
        raw.cancel_safe(timeout=CANCEL_WAIT_SECONDS)
