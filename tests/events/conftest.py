import pytest

from tests.events.uptime import Uptime
from tests.units import ledger

__all__ = ["ledger"]


@pytest.fixture
def uptime(monkeypatch: pytest.MonkeyPatch) -> Uptime:
    """How old rights are is decided by the test."""
    clock = Uptime()
    for module in (
        "events.stream.hub",
        "events.stream.connections",
        "gateway.http.middleware",
        "gateway.identity.principals",
    ):
        monkeypatch.setattr(f"{module}.uptime_seconds", clock)
    return clock
