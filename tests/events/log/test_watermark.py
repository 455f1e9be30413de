"""The mark outside the database: what a restore of the database cannot take back."""

import asyncio
import contextlib
import fcntl
import os
import signal
from pathlib import Path

import pytest
import redis
from asgiref.sync import sync_to_async
from pytest_django import Settings

from events import log
from events.log import appending, watermark
from events.log.cursors import Cursor
from events.stream.relay import Relay
from gateway.filters import EVERYTHING
from tests.events.log import watermarks
from tests.events.log.watermarks import KEY, append, end, newest, noted, redis_cache, restore_to, start_one
from tests.events.waiting import until
from tests.stores import PrivateRedis

pytestmark = pytest.mark.usefixtures("ledger", "impatient")

# Fixtures of this module too.
redis_server, in_file, in_redis, store = (
    watermarks.redis_server,
    watermarks.in_file,
    watermarks.in_redis,
    watermarks.store,
)
relays, impatient = watermarks.relays, watermarks.impatient


# The mark by itself


@pytest.mark.usefixtures("store")
def test_where_nothing_was_noted_there_is_no_mark(caplog: pytest.LogCaptureFixture) -> None:
    assert watermark.read() is None
    assert not caplog.records


@pytest.mark.usefixtures("store")
def test_a_mark_moves_forward_only_while_the_log_is_the_same() -> None:
    assert watermark.advance(Cursor("a", 7)) == Cursor("a", 7)
    assert watermark.advance(Cursor("a", 5)) == Cursor("a", 7)
    assert watermark.read() == Cursor("a", 7)
    assert watermark.advance(Cursor("a", 8)) == Cursor("a", 8)
    assert watermark.advance(Cursor("b", 2)) == Cursor("b", 2)
    assert watermark.read() == Cursor("b", 2)


def test_with_redis_the_mark_is_there_for_ever_and_in_no_file(in_redis: redis.Redis, tmp_path: Path) -> None:
    watermark.advance(Cursor("a", 7))
    assert in_redis.get(KEY) == b'"a-7"'
    assert in_redis.ttl(KEY) == -1
    assert list(tmp_path.iterdir()) == []


def test_without_redis_the_mark_is_one_file_and_nothing_is_left_beside_it(in_file: Path) -> None:
    watermark.advance(Cursor("a", 7))
    watermark.advance(Cursor("a", 8))
    assert in_file.read_text() == "a-8"
    assert list(in_file.parent.iterdir()) == [in_file]


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"a-", b"\xff\xfe", b"\0" * 8])
def test_a_file_that_holds_something_else_is_no_mark_and_becomes_one(in_file: Path, garbage: bytes) -> None:
    in_file.write_bytes(garbage)
    assert watermark.read() is None
    watermark.advance(Cursor("a", 7))
    assert watermark.read() == Cursor("a", 7)


@pytest.mark.parametrize("garbage", [b"", b"7", b"garbage", b'"garbage"', b"[1]", b"\xff\xfe", b"null"])
def test_a_key_that_holds_something_else_is_no_mark_and_becomes_one(in_redis: redis.Redis, garbage: bytes) -> None:
    in_redis.set(KEY, garbage)
    assert watermark.read() is None
    watermark.advance(Cursor("a", 7))
    assert watermark.read() == Cursor("a", 7)


@pytest.mark.usefixtures("store")
def test_a_process_that_is_alone_moves_the_mark_at_its_first_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermark, "ATTEMPTS", 1)
    for seq in (7, 8):
        assert watermark.advance(Cursor("a", seq)) == Cursor("a", seq)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("others", "attempts"), [(2, 3), (3, 3)])
def test_a_mark_that_others_moved_meanwhile_is_read_again_a_limited_number_of_times(
    monkeypatch: pytest.MonkeyPatch, others: int, attempts: int
) -> None:
    monkeypatch.setattr(watermark, "ATTEMPTS", attempts)
    parsed, moved = watermark._parsed, list[int]()

    def parse_while_another_moves_it(held: bytes) -> Cursor:
        if len(moved) < others:
            moved.append(len(moved) + 1)
            assert watermark._replace(held, f"a-{moved[-1]}")
        return parsed(held)

    with monkeypatch.context() as disturbed:
        disturbed.setattr(watermark, "_parsed", parse_while_another_moves_it)
        with contextlib.nullcontext() if others < attempts else pytest.raises(watermark.Contended):
            assert watermark.advance(Cursor("a", 7)) == Cursor("a", 7)
    assert watermark.read() == Cursor("a", 7 if others < attempts else others)


def test_no_other_process_can_move_the_mark_while_its_file_is_written(
    in_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = os.open(in_file.parent, os.O_RDONLY | os.O_DIRECTORY)
    refused: list[bool] = []

    def write_while_another_tries(path: Path, target: Path) -> Path:
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        refused.append(True)
        return path.rename(target)

    monkeypatch.setattr(Path, "replace", write_while_another_tries)
    watermark.advance(Cursor("a", 7))
    assert refused == [True]
    # And it is free again.
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)


# The relay and its mark


@pytest.mark.usefixtures("store")
async def test_f23_a_log_that_went_back_while_no_process_served_gets_a_new_epoch_and_gives_no_seq_out_twice(
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
    await sync_to_async(watermark.advance)(Cursor("another", 99))
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
    appending._listeners.remove(relay.committed)
    # Now only the mark has how far the log goes.
    relay._tasks[1].cancel()
    start = await newest()
    await append(5)
    before = await newest()
    await sync_to_async(watermark.advance)(before)

    page = await sync_to_async(log.read_after)(start, EVERYTHING)
    relay.committed(start.epoch, page.entries[:2])

    await until(lambda: relay.hub.cursor == before)
    assert await newest() == before


async def test_a_folder_that_takes_no_mark_stops_no_server(
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
        settings.CACHES = {**settings.CACHES, "default": redis_cache(server)}
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
    settings.CACHES = {**settings.CACHES, "default": redis_cache(redis_server)}
    redis_server.ask("FLUSHALL")
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(5):
            relay = await start_one(relays)
        appending._listeners.remove(relay.committed)
        await append(3)
        async with asyncio.timeout(1):
            await until(lambda: relay.hub.seq == 3)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    await noted(await newest())
