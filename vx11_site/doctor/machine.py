"""This machine: its clock compared with others, and its limits on files, disk and memory."""

import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from django_redis import get_redis_connection

from events.stream import capacity
from vx11_site.doctor.findings import Finding, fail, ok, warn
from vx11_site.server.daphne import FILES_WANTED

CLOCK_REPAIR = "The clock could not be compared: repair what did not answer, see above."
# Tokens expire by this machine's clock; chores and the detection of dead processes use the database's.
CLOCK_WARN_SECONDS = 2.0
CLOCK_FAIL_SECONDS = 30.0
LIMITS_REPAIR = "See what /proc and the file system of the data folder say."
FEW_STREAMS = 500
DISK_WARN_BYTES, DISK_FAIL_BYTES = 1024 * 2**20, 100 * 2**20
MEMORY_WARN_BYTES = 200 * 2**20


def probe_database_clock() -> Iterator[Finding]:
    if connection.vendor == "sqlite":
        yield ok("the database is on this machine and has its clock")
        return
    connection.ensure_connection()
    yield _compared("the database", _database_time)


def probe_redis_clock() -> Iterator[Finding]:
    if settings.REDIS_URL:
        client = get_redis_connection("tickets")
        client.ping()
        yield _compared("Redis", lambda: _seconds(*client.time()))


def _database_time() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])


def _seconds(seconds: int, microseconds: int) -> float:
    return seconds + microseconds / 1_000_000


def _compared(whose: str, read_clock: Callable[[], float]) -> Finding:
    # The wall clock itself is compared here, so no monotonic clock.
    before = time.time()
    theirs = read_clock()
    # The other clock was read about half-way between the two.
    difference = theirs - (before + time.time()) / 2
    text = f"{whose} is {abs(difference):.1f} s {'ahead of' if difference > 0 else 'behind'} this machine"
    repair = "Let both machines follow a time server: timedatectl set-ntp true."
    if abs(difference) > CLOCK_FAIL_SECONDS:
        return fail(text, repair)
    return warn(text, repair) if abs(difference) > CLOCK_WARN_SECONDS else ok(f"{whose} has the same time")


def probe_limits() -> Iterator[Finding]:
    yield _files()
    yield _disk()
    yield from _memory()


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A server raises its soft limit at its start.
    files = FILES_WANTED if hard == resource.RLIM_INFINITY else max(soft, min(hard, FILES_WANTED))
    reserved = capacity.FILES_RESERVED + capacity.OVERFLOW_CONNECTIONS + capacity.REQUESTS_RESERVED
    room = max(1, files - reserved)
    text = f"open files {soft}, at most {hard}: room for {room} streams in a server started here"
    repair = "Raise the hard limit: LimitNOFILE= in its systemd unit, or ulimit -Hn."
    if room < settings.MAX_STREAMS:
        return warn(f"{text}, and VX11_MAX_STREAMS is {settings.MAX_STREAMS}", repair)
    return ok(text) if room >= FEW_STREAMS else warn(text, repair)


def _disk() -> Finding:
    usage = shutil.disk_usage(settings.DATA_DIR)
    text = f"{usage.free // 2**20} MiB free on the disk of {settings.DATA_DIR}"
    repair = "Make room, or keep less: VX11_EVENT_RETENTION_ROWS, VX11_AUDIT_RETENTION_DAYS."
    if usage.free < DISK_FAIL_BYTES:
        return fail(text, repair)
    return ok(text) if usage.free >= DISK_WARN_BYTES else warn(text, repair)


def _memory() -> Iterator[Finding]:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if Path("/proc/meminfo").exists() else []
    for line in lines:
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
            text = f"{available // 2**20} MiB of memory are available"
            repair = "Give the machine more, or see what takes it; a server needs about 100 MiB, and 30 KiB a stream."
            yield ok(text) if available >= MEMORY_WARN_BYTES else warn(text, repair)
