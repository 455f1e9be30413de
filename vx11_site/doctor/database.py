"""The database: whether it answers, has all migrations, keeps commits in a power cut, and has free connections."""

import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

from ledger.reader import CONNECTIONS
from vx11_site.config import postgres
from vx11_site.data import pending_migrations
from vx11_site.doctor.findings import Finding, describe_error, fail, ok, warn

REPAIR = "Start it, or correct VX11_DATABASE_URL; see its own log."
PINGS = 5
SLOW_SECONDS = 0.05
# A large file is not checked to its end in this time.
QUICK_CHECK_SECONDS = 0.8
# Without these, a power cut loses commits that were confirmed.
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def is_made() -> bool:
    """Whether it exists: with SQLite, connecting would create an empty one."""
    return connection.vendor != "sqlite" or Path(settings.DATABASES["default"]["NAME"]).exists()


def probe() -> Iterator[Finding]:
    if not is_made():
        yield fail(f"{settings.DATABASES['default']['NAME']} does not exist", "manage.py migrate")
        return
    try:
        connection.ensure_connection()
    except OperationalError as error:
        if not (repair := postgres.known_repair(error)):
            raise
        yield fail(describe_error(error), repair)
        return
    yield ok(f"{_version()} at {_place()}")
    latency_seconds = statistics.median(_ping() for _ in range(PINGS))
    text = f"answers in {latency_seconds * 1000:.1f} ms"
    if latency_seconds < SLOW_SECONDS:
        yield ok(text)
    else:
        yield warn(f"{text}; every ticket and event waits for that", "Put it nearer, or see what keeps it busy.")
    yield _migrations()
    yield from _sqlite() if connection.vendor == "sqlite" else _postgresql()


def _version() -> str:
    if connection.vendor == "sqlite":
        return f"SQLite {_value_of('SELECT sqlite_version()')}"
    return f"PostgreSQL {_value_of('SHOW server_version')}"


def _place() -> str:
    config = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        return str(config["NAME"])
    over = ", over TLS" if connection.connection.pgconn.ssl_in_use else ""
    return f"{config['HOST'] or 'its Unix socket'}:{config['PORT'] or 5432}/{config['NAME']}{over}"


def _value_of(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def _ping() -> float:
    started = time.perf_counter()
    _value_of("SELECT 1")
    return time.perf_counter() - started


def _migrations() -> Finding:
    missing = pending_migrations.names()
    if not missing:
        return ok("migrations are up to date")
    return fail(pending_migrations.describe(missing), "manage.py migrate")


def _sqlite() -> Iterator[Finding]:
    mode = _value_of("PRAGMA journal_mode")
    if mode == "wal":
        yield ok("journal mode is WAL")
    else:
        yield fail(f"journal mode is {mode}: readers and the writer wait for each other", "Use a local disk, not NFS.")
    path = Path(settings.DATABASES["default"]["NAME"])
    locked = [str(one) for one in (path, path.parent) if not os.access(one, os.W_OK)]
    if locked:
        yield fail(f"{', '.join(locked)} cannot be written by user {os.geteuid()}", "chown it to who runs the server.")
    yield _quick_check()


def _quick_check() -> Finding:
    timer = threading.Timer(QUICK_CHECK_SECONDS, connection.connection.interrupt)
    timer.start()
    try:
        result = _value_of("PRAGMA quick_check(1)")
    except OperationalError as error:
        if "interrupt" not in str(error):
            raise
        return ok(f"no damage found within {QUICK_CHECK_SECONDS} s; the file is too large to check all of it here")
    finally:
        timer.cancel()
    if result == "ok":
        return ok("the file is undamaged")
    return fail(f"the file is damaged: {result}", "Stop the server, restore the last backup, then manage.py new_epoch.")


def _postgresql() -> Iterator[Finding]:
    if _value_of("SELECT pg_is_in_recovery()"):
        yield fail("it is a standby, which takes no writes", "Point VX11_DATABASE_URL at the primary.")
    if (encoding := _value_of("SHOW server_encoding")) != "UTF8":
        repair = "Dump it and restore it into one of createdb --encoding=UTF8 --template=template0."
        yield fail(f"its encoding is {encoding}: letters beyond ASCII are refused or stored broken", repair)
    off = [name for name in DURABLE if _value_of(f"SHOW {name}") == "off"]
    if off:
        repair = "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off)
        yield warn(f"{' and '.join(off)} off: a power cut loses events that were answered 201", repair)
    else:
        yield ok("commits survive a power cut")
    limits = "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    used = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    free = _value_of(f"SELECT {limits} - ({used})")
    text = f"{free} connections are free; a server takes up to {CONNECTIONS}"
    yield ok(text) if free >= CONNECTIONS else warn(text, "Raise max_connections, and restart PostgreSQL.")
