"""Where a submission's events go in the log: which of them are new, and what seqs they get. For events.log only.

Called while the head of the log is locked, so what is read here holds until the commit.
"""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from events.log.records import Record
from events.log.rows import find_by
from events.log.submissions import NewEvent, Submission
from events.log.tables import LogHead, UsedKey


class Appended(NamedTuple):
    """What became of a submission: its events' ids and seqs, in its order."""

    epoch: str
    ids: list[tuple[str, int]]
    created: bool
    # How many of them are new: a batch may repeat some.
    fresh: int


class IdempotencyConflict(Exception):
    """The id or key was used before by this publisher, for something else."""


class Known:
    """Which submissions' events are in the table already, or are placed in this very transaction."""

    def __init__(self, submissions: list[Submission]) -> None:
        self.by_id: dict[tuple[str, str], tuple[int, str]] = {}
        self.by_key: dict[tuple[str, str], tuple[int, str, str]] = {}
        # Keys that came with an event that is known: to be written with the new events.
        self.used_keys: list[UsedKey] = []
        # Ids made here a moment ago cannot be there, unless this is the second try after a lost answer.
        ids = [event.event_id for s in submissions for event in s.events if event.fingerprint or s.tried]
        keys = [s.idempotency_key for s in submissions if s.idempotency_key]
        for found in (*find_by("event_id", ids), *find_by("idempotency_key", keys)):
            self.add(*found)
        limit = connection.features.max_query_params or 10_000
        for start in range(0, len(keys), limit):
            used = UsedKey.objects.filter(key__in=keys[start : start + limit])
            for row in used:
                self.by_key[row.publisher, row.key] = (row.seq, row.fingerprint, row.event_id)

    def use(self, publisher: str, key: str, seq: int, event: NewEvent, now: datetime) -> None:
        """Remember a key for an event that was there before it."""
        self.by_key[publisher, key] = (seq, event.fingerprint, event.event_id)
        self.used_keys.append(
            UsedKey(
                publisher=publisher,
                key=key,
                seq=seq,
                event_id=event.event_id,
                fingerprint=event.fingerprint,
                at=now,
            )
        )

    def add(self, publisher: str, event_id: str, key: str | None, seq: int, fingerprint: str) -> None:
        self.by_id[publisher, event_id] = (seq, fingerprint)
        if key:
            self.by_key[publisher, key] = (seq, fingerprint, event_id)


def place(
    submission: Submission, row: LogHead, known: Known, fresh: list[Record], now: datetime
) -> Appended | Exception:
    """Number the events of one submission that are new. Nothing of it is placed if one of them conflicts."""
    publisher, key = submission.publisher, submission.idempotency_key
    if key and (found := known.by_key.get((publisher, key))):
        seq, fingerprint, event_id = found
        same = fingerprint == submission.events[0].fingerprint
        return Appended(row.epoch, [(event_id, seq)], created=False, fresh=0) if same else IdempotencyConflict(key)
    ids: list[tuple[str, int]] = []
    placed: list[Record] = []
    seen: dict[str, tuple[int, str]] = {}
    for event in submission.events:
        before = known.by_id.get((publisher, event.event_id)) or seen.get(event.event_id)
        if before is None:
            before = seen[event.event_id] = (row.last_seq + len(placed) + 1, event.fingerprint)
            placed.append(_record_of(event, before[0], publisher, key, now))
        elif before[1] != event.fingerprint:
            return IdempotencyConflict(event.event_id)
        ids.append((event.event_id, before[0]))
    for new in placed:
        known.add(publisher, new.event_id, key, new.seq, new.fingerprint)
    if key and not placed:
        known.use(publisher, key, ids[0][1], submission.events[0], now)
    row.last_seq += len(placed)
    fresh.extend(placed)
    return Appended(row.epoch, ids, created=bool(placed), fresh=len(placed))


def _record_of(event: NewEvent, seq: int, publisher: str, key: str | None, now: datetime) -> Record:
    return Record(
        seq=seq,
        event_id=event.event_id,
        event_type=event.event_type,
        summary=event.summary,
        module=event.module,
        severity=event.severity,
        correlation_id=event.correlation_id,
        payload=event.payload,
        created_at=now,
        occurred_at=event.occurred_at,
        publisher=publisher,
        idempotency_key=key,
        fingerprint=event.fingerprint,
    )
