"""Ground of the unit tests that need Django: models can be imported, and each test starts with an idle process."""

from collections.abc import Iterator

import django
import pytest


def pytest_pycollect_makemodule() -> None:
    """Before a module is imported; by then the environment names the database that the tests shall use."""
    django.setup()


@pytest.fixture
def ledger(transactional_db: None) -> Iterator[None]:
    """An empty database that threads share; what a process keeps running and in memory begins with the test."""
    # Not above: this module is read before Django is set up.
    from gateway.principals import directory
    from ledger.reader import reader
    from ledger.writer import writer

    directory.forget()
    yield
    writer.close()
    reader.close()
    directory.forget()
