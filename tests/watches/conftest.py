"""Ground of the tests of watches: a new installation."""

from tests.units import ledger

__all__ = ["ledger"]
