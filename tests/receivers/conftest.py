"""Ground of the tests that need tables: a new installation."""

from tests.units import ledger

__all__ = ["ledger"]
