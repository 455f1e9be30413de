"""Ground of the tests of what operators may do: the modules that a new installation has, and tasks that end."""

from collections.abc import AsyncIterator

import pytest

from tests.units import ledger

__all__ = ["ledger"]


@pytest.fixture
def modules(ledger: None) -> None:
    """A test that empties all tables takes away what the migration put there when the database was made."""
    # Not above: conftest files are read before Django is set up.
    from operator_api.models import Module
    from operator_api.modules import built_in_rows

    Module.objects.bulk_create(built_in_rows(), ignore_conflicts=True)


@pytest.fixture
async def ending() -> AsyncIterator[None]:
    """What a test has started in its loop ends with it."""
    from events.relay import the_relay
    from operator_api.upkeep import the_upkeep

    yield
    await the_upkeep().stop()
    await the_relay().stop()
