"""Changes of state with their events: both are committed, or neither is.

The head of the log is locked first. So changes of all processes come one after the other, in the order of their
events. A transaction that has locked a row that is changed here has locked the head before it, so no two can wait for
each other. Only actions of people are changes of this kind: a few short queries, now and then.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction

from events.log import epochs
from events.log.appending import append_many
from events.log.cursors import Cursor
from events.log.submissions import NewEvent, Submission
from gateway import tokens
from ledger.writer import require_runs_last
from vx11_client.event_ids import new_event_id

# Stands where a token's public id stands in events of others.
PUBLISHER = "server"


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One transaction. `now` is the database's time, because no two machines' clocks agree."""

    now: datetime
    before: Cursor
    events: list[NewEvent]

    @property
    def cursor(self) -> Cursor:
        """Where the log will end with all events of this change: no other transaction appends meanwhile."""
        return self.before._replace(seq=self.before.seq + len(self.events))

    def publish(
        self, event_type: str, summary: str, *, module: str, payload: Mapping[str, Any], correlation_id: str = ""
    ) -> None:
        """Append this event when the change is complete. Its type may be one that publishers must not use."""
        event = NewEvent(
            event_id=new_event_id(),
            event_type=event_type,
            summary=summary,
            module=module,
            severity="info",
            correlation_id=correlation_id or tokens.new_uuid(),
            payload=orjson.dumps(payload).decode(),
        )
        self.events.append(event)


@contextlib.contextmanager
def change() -> Iterator[Change]:
    """For functions of the ledger's writer that are marked with `runs_last`, because this locks the head.

    Raises RuntimeError in any other: one that runs earlier would lock the head before rows that others lock first, and
    two processes could wait for each other.
    """
    require_runs_last()
    with transaction.atomic():
        locked = epochs.locked_head()
        changing = Change(locked.now, Cursor(locked.row.epoch, locked.row.last_seq), [])
        yield changing
        if changing.events:
            append_many([Submission(PUBLISHER, changing.events)])
