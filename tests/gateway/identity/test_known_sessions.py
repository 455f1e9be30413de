"""Cookies that are looked up in crowds: one query at a time, each answer remembered for its time and no longer."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.models import Session

from gateway.identity import known_sessions as module
from gateway.identity.console_sessions import row_key
from gateway.identity.known_sessions import KNOWN_SECONDS, UNKNOWN_SECONDS, KnownSessions, session_key_of
from ledger import clock
from ledger.faults import LedgerBusy, LedgerUnavailable

KEY = "0123456789abcdefghijklmnopqrstuv"


class Database:
    """Stands for the query: which keys it was asked for, and which there are."""

    def __init__(self, *there: str) -> None:
        self.there = frozenset(map(row_key, there))
        self.asked: list[list[str]] = []
        self.is_away = False

    async def run(self, _: object, keys: list[str]) -> frozenset[str]:
        self.asked.append(keys)
        await asyncio.sleep(0)
        if self.is_away:
            raise LedgerUnavailable("away")
        return self.there & set(keys)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database("there")
    monkeypatch.setattr(module, "reader", database)
    return database


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    return times


async def has_all(known: KnownSessions, keys: Sequence[str]) -> list[bool]:
    return list(await asyncio.gather(*map(known.has, keys)))


async def test_many_who_come_at_once_share_a_query(database: Database) -> None:
    assert await has_all(KnownSessions(), ["there", "made up", "there"]) == [True, False, True]
    assert [set(keys) for keys in database.asked] == [{row_key("there"), row_key("made up")}]


async def test_a_query_has_so_many_keys_and_the_rest_waits_for_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUERY_LIMIT_KEYS", 2)
    assert await has_all(KnownSessions(), ["a", "b", "c", "d", "there"]) == [False] * 4 + [True]
    assert [len(keys) for keys in database.asked] == [2, 2, 1]


async def test_more_than_can_wait_are_turned_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_LIMIT_KEYS", 2)
    known = KnownSessions()
    waiting = [asyncio.create_task(known.has(key)) for key in ("a", "there")]
    await asyncio.sleep(0)
    with pytest.raises(LedgerBusy):
        await known.has("b")
    assert await asyncio.gather(*waiting) == [False, True]


async def test_a_session_is_remembered_longer_than_that_there_is_none(database: Database, now: list[float]) -> None:
    known = KnownSessions()
    await has_all(known, ["there", "made up"])
    assert known.is_unknown(row_key("made up"))
    assert not known.is_unknown(row_key("there"))
    assert not known.is_unknown(row_key("never asked for"))
    now[0] += UNKNOWN_SECONDS
    # From now on it may have been made.
    assert not known.is_unknown(row_key("made up"))
    assert await has_all(known, ["there", "made up"]) == [True, False]
    assert database.asked[1:] == [[row_key("made up")]]
    assert await has_all(known, ["there", "made up"]) == [True, False]
    assert len(database.asked) == 2
    now[0] += KNOWN_SECONDS - UNKNOWN_SECONDS
    await known.has("there")
    assert database.asked[2:] == [[row_key("there")]]


async def test_what_is_remembered_has_a_limit_and_the_oldest_goes_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_LIMIT", 2)
    known = KnownSessions()
    for key in ("a", "b", "c"):
        await known.has(key)
    assert [known.is_unknown(row_key(key)) for key in ("a", "b", "c")] == [False, True, True]


async def test_what_is_asked_for_again_takes_no_room_of_another(
    database: Database, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_LIMIT", 2)
    known = KnownSessions()
    await has_all(known, ["there", "a"])
    now[0] += UNKNOWN_SECONDS
    assert [await known.has("a"), await known.has("there")] == [False, True]
    assert database.asked[1:] == [[row_key("a")]]


async def test_what_was_asked_for_again_is_not_the_oldest(
    database: Database, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_LIMIT", 2)
    known = KnownSessions()
    for key in ("a", "b"):
        await known.has(key)
    now[0] += UNKNOWN_SECONDS
    for key in ("a", "c"):
        await known.has(key)
    assert [known.is_unknown(row_key(key)) for key in ("a", "b", "c")] == [True, False, True]
    assert len(known._found) == 2


async def test_while_the_database_is_away_nothing_is_known_and_nothing_remembered(database: Database) -> None:
    known = KnownSessions()
    database.is_away = True
    with pytest.raises(LedgerUnavailable):
        await known.has("there")
    database.is_away = False
    assert await known.has("there")


async def test_a_caller_who_leaves_takes_no_answer_from_the_others(database: Database) -> None:
    known = KnownSessions()
    leaving, staying = asyncio.create_task(known.has("there")), asyncio.create_task(known.has("there"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying


@pytest.mark.usefixtures("ledger")
async def test_a_session_that_has_expired_is_not_there() -> None:
    def make() -> None:
        now = clock.now()
        Session.objects.create(session_key=row_key("there"), expire_date=now + timedelta(hours=1))
        Session.objects.create(session_key=row_key("over"), expire_date=now - timedelta(seconds=1))

    await sync_to_async(make)()
    assert await has_all(KnownSessions(), ["there", "over", "made up"]) == [True, False, False]


def test_only_a_cookie_of_djangos_form_is_looked_for() -> None:
    name = settings.SESSION_COOKIE_NAME.encode()
    assert session_key_of([(b"host", b"x"), (b"cookie", b"a=b; " + name + b"=" + KEY.encode())]) == KEY
    # HTTP/2 splits cookies into several headers.
    assert session_key_of([(b"cookie", b"a=b"), (b"cookie", name + b"=" + KEY.encode())]) == KEY
    for text in (KEY[:-1], KEY + "0", KEY.upper(), ""):
        assert session_key_of([(b"cookie", name + b"=" + text.encode())]) == ""
    assert session_key_of([(b"cookie", b"other=" + KEY.encode())]) == ""
    assert session_key_of([(b"x-cookie", name + b"=" + KEY.encode())]) == ""
