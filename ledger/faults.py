"""What callers of the ledger can be told: that it is away, or that too many others ask. Both mean: try again later."""

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError

# What Django raises when the database is away, refuses, times out, is locked or has no space left; is read-only
# (InternalError); or has no tables yet or any more, as in the middle of a restore (ProgrammingError).
DATABASE_FAULTS = (OperationalError, InterfaceError, InternalError, ProgrammingError)


class LedgerUnavailable(Exception):
    """The database did not answer in time, or the queue before it is full.

    After a write this does not say that nothing was written: a commit whose answer was lost, or came too
    late, may stand. Whoever repeats the write must bring the same row ids.
    """


class LedgerBusy(LedgerUnavailable):
    """So many others ask the same kind of thing that this caller's turn did not come in time. Nothing was done."""
