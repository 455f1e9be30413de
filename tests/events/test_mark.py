"""The mark outside the database: what a restore of the database cannot take back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from pytest_django import Settings

from events import epochs, log, mark
from events import relay as relay_module
from events.cursors import Cursor
from events.hub import Hub
from events.models import Event, LogHead
from events.relay import Relay
from events.restoring import begin_new_epoch
from gateway.filters import EVERYTHING
from ledger.reader import reader
from tests.events.samples import append_events
from tests.events.waiting import WAIT_SECONDS, until
from tests.stores import PrivateRedis

pytestmark = pytest.mark.usefixtures("ledger")

KEY = "vx11:1:log_mark"

append = sync_to_async(append_events)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def in_file(settings: Settings, tmp_path: Path) -> Path:
    """The mark is a file; this is its path."""
    settings.REDIS_URL = ""
    settings.DATA_DIR = tmp_path
    return tmp_path / "log_mark"


@pytest.fixture
def in_redis(settings: Settings, tmp_path: Path, redis_server: PrivateRedis) -> Iterator[redis.Redis]:
    """The mark is a key; this is a client that sees it."""
    settings.REDIS_URL = redis_server.url
    settings.DATA_DIR = tmp_path
    settings.CACHES = {**settings.CACHES, "default": _redis_cache(redis_server)}
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


def _redis_cache(server: PrivateRedis) -> dict[str, Any]:
    # What settings.py makes of VX11_REDIS_URL.
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": server.url,
        "KEY_PREFIX": "vx11",
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
        },
    }


@pytest.fixture(params=["in_file", "in_redis"])
def store(request: pytest.FixtureRequest) -> str:
    """Both places in turn."""
    request.getfixturevalue(request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test waits for a second."""
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(relay_module, "MARK_SECONDS", 0.02)
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.02)


# The mark by itself


@pytest.mark.usefixtures("store")
def test_where_nothing_was_noted_there_is_no_mark(caplog: pytest.LogCaptureFixture) -> None:
    assert mark.read() is None
    assert not caplog.records


@pytest.mark.usefixtures("store")
def test_a_mark_moves_forward_only_while_the_log_is_the_same() -> None:
    assert mark.advance(Cursor("a", 7)) == Cursor("a", 7)
    assert mark.advance(Cursor("a", 5)) == Cursor("a", 7)
    assert mark.read() == Cursor("a", 7)
    assert mark.advance(Cursor("a", 8)) == Cursor("a", 8)
    assert mark.advance(Cursor("b", 2)) == Cursor("b", 2)
    assert mark.read() == Cursor("b", 2)


def test_with_redis_the_mark_is_there_for_ever_and_in_no_file(in_redis: redis.Redis, tmp_path: Path) -> None:
    mark.advance(Cursor("a", 7))
    assert in_redis.get(KEY) == b'"a-7"'
    assert in_redis.ttl(KEY) == -1
    assert list(tmp_path.iterdir()) == []


def test_without_redis_the_mark_is_one_file_and_nothing_is_left_beside_it(in_file: Path) -> None:
    mark.advance(Cursor("a", 7))
    mark.advance(Cursor("a", 8))
    assert in_file.read_text() == "a-8"
    assert list(in_file.parent.iterdir()) == [in_file]


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"a-", b"\xff\xfe", b"\0" * 8])
def test_a_file_that_holds_something_else_is_no_mark_and_becomes_one(in_file: Path, garbage: bytes) -> None:
    in_file.write_bytes(garbage)
    assert mark.read() is None
    mark.advance(Cursor("a", 7))
    assert mark.read() == Cursor("a", 7)


@pytest.mark.parametrize("garbage", [b"", b"7", b"garbage", b'"garbage"', b"[1]", b"\xff\xfe", b"null"])
def test_a_key_that_holds_something_else_is_no_mark_and_becomes_one(in_redis: redis.Redis, garbage: bytes) -> None:
    in_redis.set(KEY, garbage)
    assert mark.read() is None
    mark.advance(Cursor("a", 7))
    assert mark.read() == Cursor("a", 7)


# The relay and its mark


@pytest.fixture
async def relays() -> AsyncIterator[list[Relay]]:
    """Those that a test starts; they are stopped at its end."""
    relays: list[Relay] = []
    yield relays
    for relay in relays:
        await relay.stop()


async def start_one(relays: list[Relay]) -> Relay:
    relay = Relay(Hub())
    relays.append(relay)
    await relay.start()
    return relay


async def end(relay: Relay) -> None:
    """As a process ends: nobody tells it of commits any more."""
    await relay.stop()
    log._listeners.remove(relay.committed)


async def noted(cursor: Cursor) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while await reader.run(mark.read) != cursor:  # noqa: ASYNC110 - another task writes it
            await asyncio.sleep(0.005)


async def newest() -> Cursor:
    return (await sync_to_async(log.head)()).newest


@sync_to_async
def restore_to(seq: int) -> None:
    """What a dump that was put back by hand leaves behind."""
    LogHead.objects.update(last_seq=seq)
    Event.objects.filter(seq__gt=seq).delete()


@pytest.mark.usefixtures("store")
async def test_f23_a_log_that_went_back_while_nobody_served_gets_a_new_epoch_and_gives_no_seq_out_twice(
    relays: list[Relay], caplog: pytest.LogCaptureFixture
) -> None:
    first = await start_one(relays)
    await append(10)
    before = await newest()
    await noted(before)
    await end(first)

    await restore_to(4)
    second = await start_one(relays)

    assert second.hub.epoch != before.epoch
    assert second.hub.cursor == await newest()
    assert (await append(1, prefix="n")).ids == [("n0", 11)]
    assert "went back" in caplog.text
    await noted(await newest())


@sync_to_async
def save() -> tuple[str, int]:
    """The log as a raw copy of its database holds it."""
    head = log.head()
    return head.epoch, head.last_seq


@sync_to_async
def put_back(copy: tuple[str, int]) -> None:
    epoch, seq = copy
    LogHead.objects.update(epoch=epoch, last_seq=seq)
    Event.objects.filter(seq__gt=seq).delete()


@pytest.mark.usefixtures("store")
async def test_n08_a_raw_copy_that_is_put_back_twice_gives_no_seq_out_twice(relays: list[Relay]) -> None:
    await append(4)
    copy = await save()
    epochs = set()
    for round_number in range(3):
        relay = await start_one(relays)
        before = relay.hub.seq
        appended = await append(3, prefix=f"n{round_number}-")
        assert appended.ids[0][1] == before + 1 == 5 + 3 * round_number
        epochs.add(appended.epoch)
        await noted(await newest())
        await end(relay)
        await put_back(copy)
    assert len(epochs) == 3


@pytest.mark.usefixtures("store")
async def test_n08_a_copy_that_is_put_back_beneath_a_process_that_serves_is_noticed(relays: list[Relay]) -> None:
    await append(4)
    copy = await save()
    for _ in range(2):
        relay = await start_one(relays)
        here = relay.hub.cursor
        await append(3, prefix=f"{here}-")
        seen = await newest()
        await noted(seen)
        await put_back(copy)
        await until(lambda: relay.hub.epoch != seen.epoch)  # noqa: B023 - awaited within the turn
        assert (await newest()).epoch not in (copy[0], seen.epoch)
        assert (await newest()).seq >= seen.seq
        await end(relay)


@pytest.mark.usefixtures("store")
def test_n08_the_same_backup_restored_twice_gives_no_seq_out_twice() -> None:
    append_events(4)
    copy = (log.head().epoch, 4)
    heads = []
    for round_number in range(3):
        head = begin_new_epoch()
        heads.append(head)
        append_events(3, prefix=f"n{round_number}-")
        mark.advance(log.head().newest)
        LogHead.objects.update(epoch=copy[0], last_seq=copy[1])
        Event.objects.filter(seq__gt=copy[1]).delete()
    assert [head.last_seq for head in heads] == [4, 7, 10]
    assert len({head.epoch for head in heads}) == 3


@pytest.mark.usefixtures("store")
def test_n08_a_process_of_an_older_epoch_does_not_take_the_mark_back() -> None:
    append_events(4)
    before = log.head().newest
    after = epochs.start_new_epoch().newest
    assert mark.advance(after) == after
    assert mark.advance(before._replace(seq=99)) == after
    assert mark.read() == after


@pytest.mark.usefixtures("store")
async def test_a_restart_over_an_intact_log_changes_nothing(relays: list[Relay]) -> None:
    first = await start_one(relays)
    await append(3)
    await noted(await newest())
    await end(first)

    await append(2, prefix="n")
    before = await newest()
    second = await start_one(relays)
    assert second.hub.cursor == before
    await noted(before)


@pytest.mark.usefixtures("store")
async def test_the_mark_of_another_log_is_replaced(relays: list[Relay]) -> None:
    await sync_to_async(mark.advance)(Cursor("another", 99))
    await append(3)
    before = await newest()
    relay = await start_one(relays)
    assert relay.hub.cursor == before
    await noted(before)


async def test_f23_a_mark_that_comes_back_after_the_start_still_shows_that_the_log_went_back(
    in_file: Path, relays: list[Relay]
) -> None:
    await append(10)
    before = await newest()
    await restore_to(4)
    relay = await start_one(relays)
    assert relay.hub.epoch == before.epoch

    await sync_to_async(in_file.write_text)(str(before))
    await append(1, prefix="n")

    await until(lambda: relay.hub.epoch != before.epoch)
    assert (await newest()).seq == 10


async def test_a_process_that_is_behind_another_does_not_start_a_new_epoch(in_file: Path, relays: list[Relay]) -> None:
    relay = await start_one(relays)
    log._listeners.remove(relay.committed)
    # Now only the mark can tell it how far the log goes.
    relay._tasks[1].cancel()
    start = await newest()
    await append(5)
    before = await newest()
    await sync_to_async(mark.advance)(before)

    page = await sync_to_async(log.read_after)(start, EVERYTHING)
    relay.committed(start.epoch, page.entries[:2])

    await until(lambda: relay.hub.cursor == before)
    assert await newest() == before


async def test_a_folder_that_takes_no_mark_stops_nobody(
    in_file: Path, relays: list[Relay], caplog: pytest.LogCaptureFixture
) -> None:
    await sync_to_async(in_file.mkdir)()
    relay = await start_one(relays)
    await append(3)
    await until(lambda: "cannot be noted" in caplog.text)
    assert relay.hub.cursor == await newest()
    assert relay.is_running()

    await sync_to_async(in_file.rmdir)()
    await noted(await newest())


async def test_f01_while_redis_is_away_the_relay_runs_and_the_mark_comes_when_it_is_back(
    settings: Settings, relays: list[Relay], caplog: pytest.LogCaptureFixture
) -> None:
    with PrivateRedis() as server:
        settings.REDIS_URL = server.url
        settings.CACHES = {**settings.CACHES, "default": _redis_cache(server)}
        server.kill()

        relay = await start_one(relays)
        await append(3)
        await until(lambda: "cannot be noted" in caplog.text)
        assert relay.hub.cursor == await newest()
        assert relay.is_running()

        await sync_to_async(server.start)()
        await noted(await newest())


async def test_f02_while_redis_hangs_the_relay_starts_and_finds_what_others_commit(
    settings: Settings, relays: list[Relay], redis_server: PrivateRedis
) -> None:
    settings.REDIS_URL = redis_server.url
    settings.CACHES = {**settings.CACHES, "default": _redis_cache(redis_server)}
    redis_server.ask("FLUSHALL")
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(5):
            relay = await start_one(relays)
        log._listeners.remove(relay.committed)
        await append(3)
        async with asyncio.timeout(1):
            await until(lambda: relay.hub.seq == 3)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    await noted(await newest())
