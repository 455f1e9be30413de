"""For all ways in which a database can be away, callers get an error that means: try again."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, ProgrammingError

from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from ledger.writer import writer

pytestmark = pytest.mark.usefixtures("ledger")
FAULTS = [OperationalError, InterfaceError, InternalError, ProgrammingError]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_read_that_fails_by_the_database_is_unavailable(fault: type[DatabaseError]) -> None:
    def read() -> None:
        raise fault("not there")

    with pytest.raises(LedgerUnavailable):
        await reader.run(read)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_write_that_fails_by_the_database_is_unavailable(fault: type[DatabaseError]) -> None:
    def write(units: list[Any]) -> Sequence[Any]:
        raise fault("not there")

    with pytest.raises(LedgerUnavailable):
        await writer.commit(write, None)
