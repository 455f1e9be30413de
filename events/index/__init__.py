"""WHERE IS WHICH WORD, AND HOW OFTEN WHAT? Terms and tallies of the log, kept apart from it by a reader of it.

The index is derived and dispensable: it can be lost, damaged or off, and a search then reads more of the log. It is a
second or so behind, lets too much through and never too little: the predicate of events.query looks at each candidate.
Tallies are exact.

Callers of searches use `the_index()`, from threads of a lane. The server starts `Indexing`, and the commands and the
doctor use `Indexer`, `the_store` and `measure`; backups on SQLite use `copy_beside` and `adopt`. See "Search index" in
docs/architecture.md.
"""

from events.index.index_copy import SQLITE_TABLES, adopt, copy_beside
from events.index.indexer import BY_COMMAND, Indexer, Progress
from events.index.indexing import Indexing
from events.index.searching import Index, the_index
from events.index.store import Damaged, IndexUnavailable, LeaseLost, State, Store, TooSlow
from events.index.stores import sqlite_path, the_store
from events.index.tallies import MINUTE_SECONDS, ONE_BUCKET, Grid, Source, Tally, Wanted

__all__ = (
    "adopt",
    "BY_COMMAND",
    "copy_beside",
    "Damaged",
    "Grid",
    "Index",
    "Indexer",
    "Indexing",
    "IndexUnavailable",
    "LeaseLost",
    "MINUTE_SECONDS",
    "ONE_BUCKET",
    "Progress",
    "Source",
    "SQLITE_TABLES",
    "sqlite_path",
    "State",
    "Store",
    "Tally",
    "the_index",
    "the_store",
    "TooSlow",
    "Wanted",
)
