"""What callers of the ledger can be told. One exception, because a caller has one decision: try again later."""

from django.db import InterfaceError, OperationalError

# What Django raises when the database is away, refuses, times out, is locked or has no space left.
DATABASE_FAULTS = (OperationalError, InterfaceError)


class LedgerUnavailable(Exception):
    """The database did not answer in time, or the queue before it is full.

    After a write this does not say that nothing was written: a commit whose answer was lost, or came too
    late, may stand. Whoever repeats the write must bring the same row ids.
    """
