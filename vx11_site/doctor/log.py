"""The log compared with its retention, its search index, and the chores that prune and purge."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings

from events import log
from events.index import IndexUnavailable, Progress, the_store
from gateway.jobs import scheduler
from gateway.models import Chore
from ledger import clock
from vx11_site.doctor import database
from vx11_site.doctor.findings import Finding, ok, warn

REPAIR = "Repair the database first, see above."
# Pruning runs once an hour; the log may grow by so much meanwhile.
ROWS_TOLERANCE = 1.2
AGE_TOLERANCE = timedelta(days=1)
# A chore is overdue when it has been due for so long and no process has started it.
OVERDUE = timedelta(minutes=15)
# More than a server indexes in some seconds: it is not keeping up, or no server runs.
BEHIND_LIMIT_EVENTS = 20_000
REINDEX = "Start a server, which goes on with it; at once, and twice as fast: manage.py reindex --continue"
PRUNE = "See the chores below; by hand: manage.py prune_events"


def probe() -> Iterator[Finding]:
    if not database.is_made():
        return
    head = log.peek()
    if head is None:
        yield ok("empty: nothing was published yet")
        return
    rows, first = log.kept(head)
    text = f"epoch {head.epoch}, events {head.oldest_seq} to {head.last_seq}"
    limit = settings.EVENT_RETENTION_ROWS
    if rows > limit * ROWS_TOLERANCE:
        yield warn(f"{text}: {rows} rows, and VX11_EVENT_RETENTION_ROWS is {limit}", PRUNE)
    else:
        yield ok(f"{text}: {max(rows, 0)} rows of at most {limit}")
    age = clock.now() - first if first else timedelta(0)
    text = f"the oldest event is {age.days} days old, and VX11_EVENT_RETENTION_DAYS is {settings.EVENT_RETENTION_DAYS}"
    if age > timedelta(days=settings.EVENT_RETENTION_DAYS) + AGE_TOLERANCE:
        yield warn(text, PRUNE)


def probe_index() -> Iterator[Finding]:
    if not settings.SEARCH_INDEX:
        yield ok("off (VX11_SEARCH_INDEX): searches read the log itself")
        return
    if not database.is_made():
        return
    store, head = the_store(), log.peek()
    if head is None:
        yield ok("nothing to index: nothing was published yet")
        return
    if not (size := store.size_bytes()):
        yield ok("not made yet: a server makes it")
        return
    try:
        progress = Progress(head, store.state())
    except IndexUnavailable as error:
        yield warn(
            f"cannot be read: {error}", "A server makes it anew and its log says why not; by hand: manage.py reindex"
        )
        return
    text = f"{progress.missing_events} of {head.last_seq - head.oldest_seq + 1} events are not indexed yet"
    text = f"{text}, {size / 1024**2:.0f} MiB"
    yield warn(text, REINDEX) if progress.missing_events > BEHIND_LIMIT_EVENTS else ok(text)


def probe_chores() -> Iterator[Finding]:
    if not database.is_made():
        return
    rows = {chore.name: chore for chore in Chore.objects.all()}
    for name in scheduler.intervals():
        yield _chore(name, rows.get(name))


def _chore(name: str, chore: Chore | None) -> Finding:
    by_hand = f"Start a server, which does it every hour; by hand: manage.py {name}"
    if chore is None:
        return ok(f"{name} was not due yet; a server does it every hour")
    if clock.now() - chore.due_at > OVERDUE:
        return warn(f"{name} is due since {chore.due_at:%Y-%m-%d %H:%M} UTC, and no process has done it", by_hand)
    if chore.started_at is None:
        return ok(f"{name} is due at {chore.due_at:%Y-%m-%d %H:%M} UTC for the first time")
    if chore.ended_at is None:
        return ok(f"{name} is being done since {chore.started_at:%H:%M:%S} UTC")
    text = f"{name} ended {chore.ended_at:%Y-%m-%d %H:%M} UTC: {chore.outcome}"
    if chore.outcome.startswith("failed"):
        return warn(text, f"A server's log says why. By hand: manage.py {name}")
    return ok(text)
