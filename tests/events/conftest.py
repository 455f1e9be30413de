from tests.units import ledger, pytest_pycollect_makemodule

__all__ = ["ledger", "pytest_pycollect_makemodule"]
