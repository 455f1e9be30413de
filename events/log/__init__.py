"""WHAT HAPPENED, AND IN WHAT ORDER? The log: the one place where events are stored, numbered and read.

A transaction that appends holds the lock of the head row until it has committed. So seq is commit order and has no
holes: a reader that has seen seq 7 never gets a 5 later. Functions here are synchronous; the event loop reaches
them through the ledger. Code outside this package imports only the names below, and only from here.
See "The log" in docs/architecture.md.
"""

from events.log.appending import append_many, on_append
from events.log.changes import Change, change
from events.log.columns import Columns
from events.log.cursors import CURSOR_FORM, BadCursor, Cursor, CursorGone, Head
from events.log.dedup import Appended, IdempotencyConflict
from events.log.epochs import ask_before_append, begin_new_epoch, check_against, give_up
from events.log.finding import find, find_at
from events.log.moments import count_between, created_at, cursor_at
from events.log.partitions import cover, room
from events.log.pruning import count_prunable, old_keys, prune
from events.log.reading import (
    HEAD_TABLE,
    PAGE_LIMIT_BYTES,
    PAGE_LIMIT_ROWS,
    Page,
    Rows,
    head,
    is_few,
    kept,
    matching,
    peek,
    read_after,
    read_columns,
    read_rows,
    span_seqs,
)
from events.log.records import Entry, timestamp
from events.log.submissions import (
    BATCH_LIMIT_EVENTS,
    EVENT_LIMIT_BYTES,
    KEY_FORM,
    RESERVED_PREFIXES,
    RESERVED_TYPES,
    SMOKE_EVENT_TYPE,
    SUMMARY_LIMIT,
    Defaults,
    Invalid,
    NewEvent,
    Submission,
    read_event,
    read_key,
    unknown_fields,
)
from events.log.watermark import advance as advance_watermark
from events.log.watermark import read as read_watermark
from vx11_client.wire_names import ID_FORM, TYPE_FORM

__all__ = (
    "BATCH_LIMIT_EVENTS",
    "CURSOR_FORM",
    "EVENT_LIMIT_BYTES",
    "HEAD_TABLE",
    "ID_FORM",
    "KEY_FORM",
    "PAGE_LIMIT_BYTES",
    "PAGE_LIMIT_ROWS",
    "RESERVED_PREFIXES",
    "RESERVED_TYPES",
    "SMOKE_EVENT_TYPE",
    "SUMMARY_LIMIT",
    "TYPE_FORM",
    "advance_watermark",
    "append_many",
    "Appended",
    "ask_before_append",
    "BadCursor",
    "begin_new_epoch",
    "Change",
    "change",
    "check_against",
    "count_between",
    "count_prunable",
    "created_at",
    "cover",
    "Columns",
    "Cursor",
    "cursor_at",
    "CursorGone",
    "Defaults",
    "Entry",
    "find",
    "find_at",
    "give_up",
    "Head",
    "head",
    "IdempotencyConflict",
    "Invalid",
    "is_few",
    "kept",
    "matching",
    "NewEvent",
    "old_keys",
    "on_append",
    "Page",
    "peek",
    "prune",
    "read_after",
    "read_columns",
    "read_event",
    "read_key",
    "read_rows",
    "read_watermark",
    "Rows",
    "span_seqs",
    "room",
    "Submission",
    "timestamp",
    "unknown_fields",
)
