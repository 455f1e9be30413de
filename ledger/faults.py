"""Errors for callers of the ledger: the database is away, or too many others ask. Both mean: try again later."""

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError

# What Django raises when the database is away, refuses, times out, is locked or has no space left; is read-only
# (InternalError); or has no tables yet or any more, as in the middle of a restore (ProgrammingError).
DATABASE_FAULTS = (OperationalError, InterfaceError, InternalError, ProgrammingError)


class LedgerUnavailable(Exception):
    """The database did not answer in time, or the queue before it is full.

    After a write the rows may be there all the same: a commit may have taken place though its answer was lost, or came
    too late. A caller that repeats the write must use the same row ids.
    """


class LedgerBusy(LedgerUnavailable):
    """So many others ask the same kind of thing that this caller's turn did not come in time. Nothing was done."""
