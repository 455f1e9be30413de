"""Rights while the database is slow or away: callers are answered in time, and nobody is called unknown."""

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async

from gateway.identity import principals
from gateway.identity.principals import Directory
from ledger.faults import LedgerUnavailable
from tests.database_faults import database_away, rights_locked
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")


async def test_f08_who_is_known_does_not_wait_for_a_database_that_hangs() -> None:
    _, text = await sync_to_async(issue)()
    directory = Directory()
    holder = await directory.holder_of(text)
    with rights_locked():
        directory.expire()
        started = time.monotonic()
        assert await directory.holder_of(text) == holder
        assert time.monotonic() - started < 1


async def test_f08_a_check_that_took_too_long_for_its_caller_is_not_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only the one check that is asked for by expire().
    monkeypatch.setattr(principals, "FRESH_SECONDS", 3600.0)
    token, text = await sync_to_async(issue)()
    directory = Directory()
    await directory.holder_of(text)
    await sync_to_async(token.delete)()
    with rights_locked():
        directory.expire()
        await directory.current()
    async with asyncio.timeout(10):
        while token.public_id in (await directory.current()).by_public_id:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)


async def test_f08_who_is_not_known_is_not_called_unknown_while_the_database_is_away() -> None:
    directory = Directory()
    await directory.current()
    _, text = await sync_to_async(issue)()
    directory.expire()
    with database_away(), pytest.raises(LedgerUnavailable):
        await directory.holder_of(text)
    directory.expire()
    assert await directory.holder_of(text)
