"""Connections by themselves: when they are read, when they wait, and what ends them."""

import asyncio
import contextlib
import socket
import struct
from pathlib import Path

import pytest

from tests.vx11_client.receiving import Receiving, contents, until
from vx11_client.syslog import connections, intake
from vx11_client.syslog.limits import Limits


async def test_a_connection_is_not_read_on_before_its_records_are_on_disk(tmp_path: Path) -> None:
    async with Receiving(tmp_path, Limits()).running() as receiving:
        receiving.disk.free.clear()
        _, writer = await receiving.client()
        writer.write(b"first\n")
        await until(lambda: receiving.tally.taken == 1)
        writer.write(b"second\n")
        other_reader, other = await receiving.client()
        other.write(b"of another\n")
        # The other one is read meanwhile, and the first is not.
        await until(lambda: receiving.tally.taken == 2)
        await asyncio.sleep(0.1)
        assert receiving.tally.taken == 2
        receiving.disk.free.set()
        await until(lambda: receiving.tally.taken == 3)
        await until(lambda: receiving.spool.waiting_count == 3)
        assert contents(receiving.spool) == [b"first", b"of another", b"second"]
        writer.close()
        other.close()


async def test_no_more_records_than_the_limit_wait_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MEMORY_LIMIT_RECORDS", 10)
    async with Receiving(tmp_path, Limits()).running() as receiving:
        receiving.disk.free.clear()
        writers = [(await receiving.client())[1] for _ in range(40)]
        await until(lambda: len(receiving.connections) == 40)
        for writer in writers:
            writer.write(b"one\n")
        await until(lambda: receiving.tally.taken >= 10)
        await asyncio.sleep(0.1)
        # Each brought one: the tenth closes the gate.
        assert receiving.tally.taken == 10
        _, late = await receiving.client()
        late.write(b"one\n")
        await asyncio.sleep(0.1)
        assert receiving.tally.taken == 10
        receiving.disk.free.set()
        await until(lambda: receiving.spool.waiting_count == 41)
        for writer in (*writers, late):
            writer.close()


async def test_a_record_that_does_not_end_closes_its_connection_unless_it_was_made_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "RECORD_LIMIT_SECONDS", 0.2)
    async with Receiving(tmp_path, Limits()).running() as receiving:
        reader, writer = await receiving.client()
        writer.write(b"<13>beg")
        await until(lambda: receiving.connections)
        [connection] = receiving.connections
        connection.pause()
        await asyncio.sleep(0.3)
        connection.check()
        connection.resume()
        connection.check()
        assert receiving.notes == []

        async def drip() -> None:
            # A byte now and then does not help.
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        await asyncio.sleep(0.05)
        connection.check()
        assert receiving.notes == []

        def is_closed() -> bool:
            connection.check()
            return not receiving.connections

        await until(is_closed)
        dripping.cancel()
        assert "1 connections were closed: a record had begun and did not end (last: peer)" in receiving.notes
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_one_record_after_the_other_is_not_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "RECORD_LIMIT_SECONDS", 0.2)
    async with Receiving(tmp_path, Limits()).running() as receiving:
        _, writer = await receiving.client()
        for _ in range(20):
            # Each piece ends one record and begins the next one.
            writer.write(b"end\n<13>begin ")
            await asyncio.sleep(0.03)
            for connection in receiving.connections:
                connection.check()
        assert receiving.tally.taken == 20
        assert len(receiving.connections) == 1
        writer.close()


async def test_a_full_spool_stops_the_reading_until_it_has_room(tmp_path: Path) -> None:
    async with Receiving(tmp_path, Limits(spool_bytes=100)).running() as receiving:
        _, writer = await receiving.client()
        writer.write(b"x" * 100 + b"\n")
        await until(lambda: receiving.spool.is_full)
        _, late = await receiving.client()
        writer.write(b"behind\n")
        late.write(b"late\n")
        await asyncio.sleep(0.2)
        assert receiving.tally.taken == 1
        receiving.spool.settle(receiving.spool.read(limit_records=10, wait_seconds=0))
        receiving.intake.wake()
        await until(lambda: receiving.tally.taken == 3)
        writer.close()
        late.close()


async def test_a_quiet_connection_is_closed_and_one_that_sends_is_not(tmp_path: Path) -> None:
    async with Receiving(tmp_path, Limits(idle_seconds=0.2)).running() as receiving:
        _, quiet = await receiving.client()
        _, busy = await receiving.client()
        await until(lambda: len(receiving.connections) == 2)

        def is_one_closed() -> bool:
            busy.write(b"x\n")
            for connection in list(receiving.connections):
                connection.check()
            return len(receiving.connections) == 1

        await until(is_one_closed)
        assert receiving.tally.of("idle") == 1
        busy.write(b"still here\n")
        await until(lambda: b"still here" in contents(receiving.spool))
        quiet.close()
        busy.close()


@pytest.mark.parametrize("breaks", [False, True])
async def test_half_a_record_is_counted_once_and_half_a_line_is_a_record_only_at_an_end_in_order(
    tmp_path: Path, *, breaks: bool
) -> None:
    async with Receiving(tmp_path, Limits()).running() as receiving:
        for data in (b"10 <13>ha", b"half a line"):
            _, writer = await receiving.client()
            writer.write(data)
            await until(lambda: any(one._reader.is_within for one in receiving.connections))
            if breaks:
                # A connection that is reset.
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()
            await until(lambda: not receiving.connections)
        assert receiving.tally.of("half") == (2 if breaks else 1)
        await until(lambda: receiving.spool.waiting_count == receiving.tally.taken)
        assert contents(receiving.spool) == ([] if breaks else [b"half a line"])


async def test_a_connection_that_has_written_before_is_stopped_by_the_gate_too(tmp_path: Path) -> None:
    async with Receiving(tmp_path, Limits(spool_bytes=200)).running() as receiving:
        _, first = await receiving.client()
        first.write(b"first\n")
        await until(lambda: receiving.spool.waiting_count == 1)
        _, second = await receiving.client()
        second.write(b"x" * 200 + b"\n")
        await until(lambda: receiving.spool.is_full)
        await asyncio.sleep(0.05)
        first.write(b"must wait\n")
        await asyncio.sleep(0.2)
        assert receiving.tally.taken == 2
        receiving.spool.settle(receiving.spool.read(limit_records=10, wait_seconds=0))
        receiving.intake.wake()
        await until(lambda: receiving.tally.taken == 3)
        first.close()
        second.close()


async def test_a_disk_that_is_full_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "DISK_WAIT_SECONDS", 0.02)
    async with Receiving(tmp_path, Limits()).running() as receiving:
        fails = [True] * 3

        def sync(descriptor: int) -> None:
            if fails:
                fails.pop()
                raise OSError(28, "No space left on device")

        receiving.spool._sync = sync
        _, writer = await receiving.client()
        writer.write(b"one\ntwo\n")
        await until(lambda: receiving.spool.waiting_count == 2)
        assert contents(receiving.spool) == [b"one", b"two"]
        assert receiving.notes == [
            "the spool cannot be written: No space left on device; nothing is read meanwhile",
            "the spool is written again",
        ]
        writer.close()
