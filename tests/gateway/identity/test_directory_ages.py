"""How old the knowledge of rights may be: when it is checked, who waits for that, and when callers are turned away."""

import asyncio
import logging
from typing import Any

import pytest

from gateway import tokens
from gateway.identity import principals
from gateway.identity.principals import (
    FRESH_SECONDS,
    MISS_FRESH_SECONDS,
    REREAD_SECONDS,
    RIGHTS_LIMIT_SECONDS,
    SILENCE_SECONDS,
    STALE_LIMIT_SECONDS,
    Directory,
    InvalidCredential,
    Principal,
    Snapshot,
    Standing,
)
from ledger.faults import LedgerUnavailable

READER = Principal("p-1", "principal", "reader", frozenset())
LATER = Principal("p-2", "principal", "came later", frozenset())


def snapshot_of(*known: Principal, barred: str = "") -> Snapshot:
    standings = {one.public_id: Standing(one, barred) for one in known}
    return Snapshot(1, {tokens.digest(one.name): standings[one.public_id] for one in known}, standings)


class Database:
    """Stands for the reader and for the time: what it answers, and how long that takes."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.rights = snapshot_of(READER)
        # Whether each check was a whole reading.
        self.checks: list[bool] = []
        self.is_away = False
        self.takes_seconds = 0.0
        self.error: Exception | None = None

    async def run(self, _: Any, known: Snapshot | None, *, again: bool) -> tuple[float, Snapshot]:
        self.checks.append(again)
        asked_at = self.now
        self.now += self.takes_seconds
        if self.error is not None:
            raise self.error
        if self.is_away:
            raise LedgerUnavailable("away")
        return asked_at, self.rights


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database()
    monkeypatch.setattr(principals, "reader", database)
    monkeypatch.setattr(principals, "uptime_seconds", lambda: database.now)
    return database


@pytest.fixture
async def directory(database: Database) -> Directory:
    """Has read the rights at this moment."""
    directory = Directory()
    await directory.current()
    database.checks.clear()
    return directory


def renewal_of(directory: Directory) -> "asyncio.Task[None] | None":
    """The check that is under way."""
    return directory._renewal


async def test_rights_are_checked_once_in_their_time(directory: Directory, database: Database) -> None:
    database.now += FRESH_SECONDS - 0.1
    await directory.current()
    assert database.checks == []
    database.now += 0.1
    await directory.current()
    await directory.current()
    assert database.checks == [False]
    directory.expire()
    await directory.current()
    assert len(database.checks) == 2
    await directory.current(fresh_seconds=0)
    assert len(database.checks) == 3


async def test_rights_are_read_whole_now_and_then(directory: Directory, database: Database) -> None:
    for _ in range(int(REREAD_SECONDS / FRESH_SECONDS) * 2):
        database.now += FRESH_SECONDS
        await directory.current()
    assert database.checks.count(True) == 2
    assert database.checks[int(REREAD_SECONDS / FRESH_SECONDS) - 1]


async def test_a_process_that_stood_still_checks_before_it_goes_on(directory: Directory, database: Database) -> None:
    database.rights = snapshot_of(LATER)
    database.now += RIGHTS_LIMIT_SECONDS + 0.1
    assert (await directory.current()).by_public_id.keys() == {"p-2"}


async def test_while_the_database_is_away_old_rights_count_for_a_while(
    directory: Directory, database: Database
) -> None:
    database.is_away = True
    confirmed_at = database.now
    while database.now < confirmed_at + STALE_LIMIT_SECONDS - 1:
        database.now += 1
        assert await directory.current() == database.rights
    assert directory.good_until == confirmed_at + STALE_LIMIT_SECONDS
    database.now = confirmed_at + STALE_LIMIT_SECONDS
    with pytest.raises(LedgerUnavailable):
        await directory.current()
    assert directory.known == database.rights
    database.is_away = False
    assert await directory.current() == database.rights


async def test_an_answer_confirms_rights_for_two_seconds_and_silence_for_longer(
    directory: Directory, database: Database
) -> None:
    assert directory.good_until == database.now + RIGHTS_LIMIT_SECONDS
    database.is_away = True
    database.now += FRESH_SECONDS
    await directory.current()
    assert directory.good_until == database.now + SILENCE_SECONDS


async def test_a_check_during_which_the_process_stood_still_says_nothing_about_the_database(
    directory: Directory, database: Database
) -> None:
    good_until = directory.good_until
    database.is_away, database.takes_seconds = True, 60.0
    database.now += FRESH_SECONDS
    with pytest.raises(LedgerUnavailable):
        await directory.current()
    assert directory.good_until == good_until


async def test_of_a_loop_that_is_slow_each_caller_asks_a_few_times_and_no_more(
    directory: Directory, database: Database
) -> None:
    database.takes_seconds = RIGHTS_LIMIT_SECONDS + 1
    database.now += RIGHTS_LIMIT_SECONDS + 1
    with pytest.raises(LedgerUnavailable):
        await directory.current()
    # One as they were old, and then as often as is allowed.
    assert len(database.checks) == 1 + principals.CHECKS_LIMIT


async def test_who_is_not_known_is_looked_for_and_guesses_cost_few_checks(
    directory: Directory, database: Database
) -> None:
    database.rights = snapshot_of(READER, LATER)
    database.now += MISS_FRESH_SECONDS
    assert await directory.holder_of("came later") == LATER
    assert len(database.checks) == 1
    for _ in range(10):
        with pytest.raises(InvalidCredential, match="unknown"):
            await directory.holder_of("a guess")
        with pytest.raises(InvalidCredential, match="unknown"):
            await directory.named("p-9")
    assert len(database.checks) == 1
    assert await directory.named("p-1") == READER
    assert await directory.still(READER) == READER


async def test_the_holder_of_a_ticket_that_was_made_a_moment_ago_elsewhere_is_found(
    directory: Directory, database: Database
) -> None:
    # Just checked, but before the account and its ticket were there.
    database.rights = snapshot_of(READER, LATER)
    database.now += MISS_FRESH_SECONDS / 10
    with pytest.raises(InvalidCredential, match="unknown"):
        await directory.holder_of("came later")
    assert database.checks == []
    assert await directory.named("p-2") == LATER
    assert len(database.checks) == 1


async def test_a_check_that_began_before_the_question_does_not_answer_it(
    directory: Directory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, run = asyncio.Event(), database.run

    async def slow(*given: Any, again: bool) -> tuple[float, Snapshot]:
        answer = await run(*given, again=again)
        await late.wait()
        return answer

    monkeypatch.setattr(database, "run", slow)
    database.now += FRESH_SECONDS
    first = asyncio.create_task(directory.current())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    database.rights = snapshot_of(READER, LATER)
    database.now += MISS_FRESH_SECONDS / 10
    named = asyncio.create_task(directory.named("p-2"))
    await asyncio.sleep(0)
    late.set()
    assert await named == LATER
    await first


async def test_nobody_is_unknown_while_the_database_cannot_be_asked(directory: Directory, database: Database) -> None:
    database.is_away = True
    database.now += MISS_FRESH_SECONDS
    with pytest.raises(LedgerUnavailable, match="checked"):
        await directory.holder_of("came later")
    assert await directory.holder_of("reader") == READER


async def test_a_session_that_is_not_known_yet_is_looked_for(directory: Directory, database: Database) -> None:
    database.now += MISS_FRESH_SECONDS
    with pytest.raises(InvalidCredential, match="session over"):
        await directory.named("p-1", session_id="s-1", session_row="row")
    assert len(database.checks) == 1


async def test_recognising_waits_for_nothing_and_has_the_rights_read_for_the_next(
    directory: Directory, database: Database
) -> None:
    assert directory.recognised("reader") == "p-1"
    database.rights = snapshot_of(READER, LATER, barred="revoked")
    assert directory.recognised("came later") == ""
    # Just checked: a flood of guesses has nothing read.
    assert renewal_of(directory) is None
    database.now += MISS_FRESH_SECONDS
    assert directory.recognised("came later") == ""
    renewal = renewal_of(directory)
    assert renewal is not None
    await renewal
    assert directory.known == database.rights
    # Known, and refused.
    assert directory.recognised("came later") == ""
    assert Directory().known is None


async def test_rights_that_cannot_be_read_for_another_reason_are_in_the_log(
    directory: Directory, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.error = RuntimeError("a mistake of ours")
    with pytest.raises(RuntimeError):
        await directory.current(fresh_seconds=0)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "rights could not be read"
    ]
    # The next caller has them read again.
    database.error = None
    caplog.clear()
    assert await directory.current(fresh_seconds=0) == database.rights
    assert caplog.records == []


async def test_an_answer_in_time_is_not_taken_for_silence_later(
    directory: Directory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(principals, "ANSWER_SECONDS", 0.01)
    await directory.current(fresh_seconds=0)
    # Set later and for later: when this has come, that would have come too.
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, over.set)
    await over.wait()
    assert directory.good_until == database.now + RIGHTS_LIMIT_SECONDS
