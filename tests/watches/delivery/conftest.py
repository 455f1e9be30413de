"""Ground of the tests of deliveries: receivers on this machine, and a thread that delivers step by step."""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.waiting import wait_until

Deliver = Callable[..., None]


@pytest.fixture
def here_allowed(settings: Any) -> None:
    """Receivers of these tests are not public."""
    settings.DELIVERY_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture
def deliver(ledger: None, here_allowed: None) -> Iterator[Deliver]:
    """Looks again and again until a condition holds."""
    from watches.delivery.delivering import Delivering

    delivering = Delivering()

    def until(condition: Callable[[], Any], what: str) -> None:
        def look() -> bool:
            delivering.look()
            return bool(condition())

        wait_until(look, what, timeout_seconds=30)

    yield until
    wait_until(lambda: delivering.look() and not delivering._attempts.jobs, "attempts end", timeout_seconds=40)
