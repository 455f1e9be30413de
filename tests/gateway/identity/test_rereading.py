"""When rights are read again: often enough to find changes that raise no version, and no more often than promised."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from gateway.identity import console_sessions, principals
from gateway.identity.principals import Directory, InvalidCredential
from gateway.models import RightsVersion
from tests.database_faults import database_away
from tests.events.uptime import Uptime
from tests.gateway.samples import create_user

pytestmark = pytest.mark.usefixtures("ledger")


async def test_a_user_disabled_behind_the_version_is_found_by_reading_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principals, "FRESH_SECONDS", 0.0)
    user = await sync_to_async(create_user)("viewer")
    directory = Directory()
    name = console_sessions.principal_id(user.pk)
    assert (await directory.named(name)).public_id == name

    version = await sync_to_async(RightsVersion.current)()
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)
    assert await sync_to_async(RightsVersion.current)() == version
    assert (await directory.named(name)).public_id == name

    monkeypatch.setattr(principals, "REREAD_SECONDS", 0.0)
    with pytest.raises(InvalidCredential, match="user disabled"):
        await directory.named(name)


async def test_reading_again_what_has_not_changed_gives_the_same_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principals, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(principals, "REREAD_SECONDS", 0.0)
    await sync_to_async(create_user)("viewer")
    directory = Directory()
    assert await directory.current() is await directory.current()


class CountedReads:
    """How often a directory asks the database, by a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.uptime = 0, Uptime()
        self.takes_seconds = 0.0
        self._read = principals._read_now
        monkeypatch.setattr(principals, "uptime_seconds", self.uptime)
        monkeypatch.setattr(principals, "_read_now", self._count)

    def _count(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        self.uptime.now += self.takes_seconds
        return self._read(*arguments, **options)


async def test_rights_are_read_once_a_second_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    directory, reads = Directory(), CountedReads(monkeypatch)
    for _ in range(20):
        await directory.current()
    assert reads.count == 1
    reads.uptime.now += principals.FRESH_SECONDS
    for _ in range(20):
        await directory.current()
    assert reads.count == 2


async def test_a_flood_of_unknown_tokens_is_checked_ten_times_a_second_at_the_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory, reads = Directory(), CountedReads(monkeypatch)
    await directory.current()
    for _ in range(20):
        with pytest.raises(InvalidCredential):
            await directory.holder_of("nothing that was issued")
    assert reads.count == 1
    reads.uptime.now += principals.MISS_FRESH_SECONDS
    with pytest.raises(InvalidCredential):
        await directory.holder_of("nothing that was issued")
    assert reads.count == 2


async def test_a_database_that_does_not_answer_is_asked_once_a_second_too(monkeypatch: pytest.MonkeyPatch) -> None:
    directory, reads = Directory(), CountedReads(monkeypatch)
    await directory.current()
    reads.uptime.now += principals.FRESH_SECONDS
    # The second counts from the end of a check that failed: one may take longer than that.
    reads.takes_seconds = 0.6 * principals.FRESH_SECONDS
    with database_away():
        for _ in range(5):
            await directory.current()
    # One check, which the reader tries twice.
    assert reads.count == 1 + 2
