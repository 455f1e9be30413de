"""Appending to the log, in the caller's transaction, and notifying the process of each commit."""

from collections.abc import Callable, Sequence

from django.db import transaction

from events.log import epochs
from events.log.dedup import Appended, Known, place
from events.log.partitions import make_room
from events.log.records import Entry, Record, encode
from events.log.rows import insert, move_head
from events.log.submissions import Submission
from events.log.tables import UsedKey
from gateway import tracing
from ledger.writer import runs_last

# Called after each commit, in the thread that committed: (epoch, entries in seq order).
Listener = Callable[[str, list[Entry]], None]
_listeners: list[Listener] = []


def on_append(listener: Listener) -> None:
    """Call the listener after every commit of this process that appended."""
    if listener not in _listeners:
        _listeners.append(listener)


@runs_last
def append_many(submissions: list[Submission]) -> Sequence[Appended | Exception]:
    """Append in the caller's transaction, for the ledger's writer; a conflict fails its own submission only."""
    commit = None if tracing.tracer is None else tracing.tracer.commit(s.span for s in submissions)
    row, now = (locked := epochs.locked_head()).row, locked.now
    known = Known(submissions)
    fresh: list[Record] = []
    outcomes: list[Appended | Exception] = []
    for submission in submissions:
        outcomes.append(place(submission, row, known, fresh, now))
        submission.tried = True
    if known.used_keys:
        UsedKey.objects.bulk_create(known.used_keys)
    if fresh:
        make_room(row.incarnation, fresh[0].seq, row.last_seq)
        insert(fresh)
        move_head(row.last_seq)
        entries = [encode(record) for record in fresh]
        # A function and not a partial: when it fails, Django asks for its __qualname__, and would fail instead.
        transaction.on_commit(lambda: _notify_listeners(row.epoch, entries, commit), robust=True)
    return outcomes


def _notify_listeners(epoch: str, entries: list[Entry], commit: tracing.Commit | None) -> None:
    if commit is not None:
        # Before the listeners, which write them to streams.
        size_bytes = sum(len(entry.body) for entry in entries)
        commit.done(epoch, first_seq=entries[0].seq, last_seq=entries[-1].seq, size_bytes=size_bytes)
    for listener in _listeners:
        listener(epoch, entries)
