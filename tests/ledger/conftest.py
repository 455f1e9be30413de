from tests.units import ledger

__all__ = ["ledger"]
