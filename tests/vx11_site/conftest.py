import daphne.server  # noqa: F401 - the first to name Twisted's reactor chooses it, and this one is on asyncio

from tests.units import ledger

__all__ = ["ledger"]
