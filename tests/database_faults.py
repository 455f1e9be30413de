"""A database that is away, or does not answer, as the ledger's threads see it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections, transaction

from gateway.models import AccessToken, RightsVersion
from ledger.reader import close_all
from ledger.writer import writer
from tests.processes import free_port


@contextmanager
def database_away() -> Iterator[None]:
    """While this lasts, the ledger's threads find no database; the test's own connection stays."""
    settings = connections.databases["default"]
    there = {name: settings[name] for name in ("NAME", "PORT")}
    _forget_connections()
    if connection.vendor == "sqlite":
        settings["NAME"] = "/nowhere/operator.sqlite3"
    else:
        settings["PORT"] = free_port()
    try:
        yield
    finally:
        settings.update(there)
        _forget_connections()


def _forget_connections() -> None:
    """The ledger's threads end, and with them the connections that they keep."""
    writer.close()
    close_all()


@contextmanager
def rights_locked() -> Iterator[None]:
    """While this lasts, nobody can write rights, and on PostgreSQL not read them either."""
    locked, release = threading.Event(), threading.Event()
    holder = threading.Thread(target=_hold, args=(locked, release))
    holder.start()
    try:
        assert locked.wait(10)
        yield
    finally:
        release.set()
        holder.join(10)


def _hold(locked: threading.Event, release: threading.Event) -> None:
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                for model in (AccessToken, RightsVersion):
                    cursor.execute(f'LOCK TABLE "{model._meta.db_table}" IN ACCESS EXCLUSIVE MODE')
        else:
            RightsVersion.objects.filter(pk=0).delete()
        locked.set()
        release.wait(30)
    connection.close()
