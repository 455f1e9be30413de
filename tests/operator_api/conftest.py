"""Ground of the tests of what operators may do: a new installation, and tasks that end."""

from collections.abc import AsyncIterator

import pytest

from tests.units import ledger

__all__ = ["ledger"]


@pytest.fixture
async def ending() -> AsyncIterator[None]:
    """What a test has started in its loop ends with it."""
    from events.stream.relay import the_relay
    from operator_api.background_tasks import the_background_tasks

    yield
    await the_background_tasks().stop()
    await the_relay().stop()
