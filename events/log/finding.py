"""One event of the log, by the id of its publisher or by its cursor."""

from events.log.cursors import Cursor, CursorGone
from events.log.reading import head, matching
from events.log.records import READ_FIELDS, Entry, Record, encode
from gateway.filters import Selection


def find(event_id: str, selection: Selection) -> Entry | None:
    """The newest event that has this id of its publisher and passes. Raises CursorGone if it is no longer served."""
    rows = matching(selection).filter(event_id=event_id).order_by("-seq").values_list(*READ_FIELDS)
    found = next((encode(Record(*row)) for row in rows[:1]), None)
    now = head()
    if found is not None and found.seq < now.oldest_seq:
        raise CursorGone("expired", now)
    return found


def find_at(cursor: Cursor, selection: Selection) -> Entry | None:
    """The event of this cursor, if it passes. Raises CursorGone if it is no longer served, or of another log."""
    now = head()
    # The event of the oldest cursor that can be read on from is gone itself.
    reset = now.reset_for(cursor) or ("expired" if cursor.seq < now.oldest_seq else "")
    if reset and reset != "unknown":
        raise CursorGone(reset, now)
    rows = matching(selection).filter(seq=cursor.seq).values_list(*READ_FIELDS)
    return next((encode(Record(*row)) for row in rows), None)
