"""Connections and datagrams by themselves: when they are read, when they wait, and what ends them."""

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from vx11_client.syslog import connections, intake
from vx11_client.syslog.connections import SyslogConnection
from vx11_client.syslog.datagrams import DatagramReader, dropped_by_system
from vx11_client.syslog.intake import Intake
from vx11_client.syslog.limits import Limits
from vx11_client.syslog.spool import Spool
from vx11_client.syslog.tally import Tally


class Disk:
    """In place of fdatasync: it takes what is written while `free` is set."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()

    def __call__(self, descriptor: int) -> None:
        assert self.free.wait(20)


class Receiving:
    """An intake that writes, and a listener whose connections it takes."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.disk = Disk()
        self.spool = Spool(folder, limit_bytes=limits.spool_bytes, sync=self.disk)
        self.notes: list[str] = []
        self.tally = Tally(self.notes.append)
        self.limits = limits
        self.intake = Intake(self.spool, limits, self.tally)
        self.connections: list[SyslogConnection] = []

    def connection(self) -> SyslogConnection:
        made = SyslogConnection(
            self.intake, self.limits, self.tally, peer="peer", is_tls=False, on_lost=self.connections.remove
        )
        self.connections.append(made)
        return made

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Receiving"]:
        writing = asyncio.create_task(self.intake.run())
        server = await asyncio.get_running_loop().create_server(self.connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.disk.free.set()
            server.close()
            for one in list(self.connections):
                one.abort()
            self.intake.end()
            await writing
            await asyncio.sleep(0)
            self.spool.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


def contents(spool: Spool) -> list[bytes]:
    found: list[bytes] = []
    while batch := spool.read(limit_records=500, wait_seconds=0):
        found += [one.record.content for one in batch]
    return found


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


@pytest.fixture
def sockets() -> list[socket.socket]:
    """One that receives and one that sends."""
    receiving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiving.bind(("127.0.0.1", 0))
    receiving.setblocking(False)  # noqa: FBT003 - its only form
    sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sending.connect(receiving.getsockname())
    return [receiving, sending]


async def test_a_datagram_is_a_record_and_is_cut_at_the_limit(tmp_path: Path, sockets: list[socket.socket]) -> None:
    async with Receiving(tmp_path, Limits(line_bytes=480)).running() as receiving:
        reader = DatagramReader(sockets[0], receiving.intake, receiving.limits, receiving.tally)
        for data in (b"one\nwith two lines\n\0", b"", b"\n", b"x" * 60_000):
            sockets[1].send(data)
        await until(lambda: receiving.tally.taken == 2)
        await until(lambda: receiving.spool.waiting_count == 2)
        assert contents(receiving.spool) == [b"one\nwith two lines", b"x" * 480]
        assert receiving.tally.of("cut") == 1
        reader.close()
        sockets[1].close()


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux says what it has dropped")
async def test_what_the_system_drops_is_counted(tmp_path: Path, sockets: list[socket.socket]) -> None:
    async with Receiving(tmp_path, Limits()).running() as receiving:
        reader = DatagramReader(sockets[0], receiving.intake, receiving.limits, receiving.tally)
        sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # The loop does not run meanwhile.
        for _ in range(1000):
            sockets[1].send(b"x" * 500)
        dropped = dropped_by_system(sockets[0])
        assert 0 < dropped < 1000
        await until(lambda: receiving.tally.taken == 1000 - dropped)
        reader.check()
        reader.check()
        assert receiving.tally.of("udp_kernel") == receiving.tally.dropped == dropped
        reader.close()
        sockets[1].close()


async def test_datagrams_are_dropped_and_counted_while_there_is_no_room_and_read_at_the_end(
    tmp_path: Path, sockets: list[socket.socket]
) -> None:
    async with Receiving(tmp_path, Limits(spool_bytes=50)).running() as receiving:
        reader = DatagramReader(sockets[0], receiving.intake, receiving.limits, receiving.tally)
        sockets[1].send(b"x" * 100)
        await until(lambda: receiving.spool.is_full)
        sockets[1].send(b"too late")
        await until(lambda: receiving.tally.of("udp_full") == 1)
        receiving.spool.settle(receiving.spool.read(limit_records=10, wait_seconds=0))
        sockets[1].send(b"at the end")
        reader.close()
        assert (receiving.tally.taken, receiving.tally.dropped) == (2, 1)
        sockets[1].close()


async def test_more_than_the_rate_is_dropped_or_waits(tmp_path: Path, sockets: list[socket.socket]) -> None:
    async with Receiving(tmp_path, Limits(records_per_second=10)).running() as receiving:
        reader = DatagramReader(sockets[0], receiving.intake, receiving.limits, receiving.tally)
        began = asyncio.get_running_loop().time()
        for _ in range(30):
            sockets[1].send(b"x")
        await until(lambda: receiving.tally.taken + receiving.tally.dropped == 30)
        seconds = asyncio.get_running_loop().time() - began
        assert 10 <= receiving.tally.taken <= 10 + 10 * seconds + 1
        taken = receiving.tally.taken
        _, writer = await receiving.client()
        writer.write(b"waits\n")
        await until(lambda: receiving.tally.taken == taken + 1)
        reader.close()
        sockets[1].close()
        writer.close()


async def test_what_is_missing_is_said_in_the_log_once_there_is_room(tmp_path: Path) -> None:
    async with Receiving(tmp_path, Limits(spool_bytes=100)).running() as receiving:
        _, writer = await receiving.client()
        writer.write(b"x" * 100 + b"\n")
        await until(lambda: receiving.spool.is_full)
        receiving.tally.count("udp_full", 3)
        receiving.tally.count("udp_rate", 2)
        receiving.tally.count("idle")
        receiving.intake.announce_missing()
        await asyncio.sleep(0.05)
        stored = receiving.spool.read(limit_records=10, wait_seconds=0)
        assert len(stored) == 1
        receiving.spool.settle(stored)
        receiving.intake.announce_missing()
        receiving.intake.announce_missing()
        await until(lambda: receiving.spool.waiting_count == 1)
        [said] = contents(receiving.spool)
        assert said.startswith(b'{"summary":"5 records are missing before this one. 3 UDP')
        assert b'"payload":{"dropped":5,"dropped_udp_full":3,"dropped_udp_rate":2}' in said
        writer.close()


def test_what_a_sender_can_repeat_is_written_now_and_then_with_its_number() -> None:
    now = [0.0]
    lines: list[str] = []
    tally = Tally(lines.append, clock=lambda: now[0])
    for _ in range(1000):
        tally.count("idle", detail="\x1b[31m")
    tally.tick()
    assert lines == ["1 connections were closed: nothing came for the limit of idle time (last: \\x1b[31m)"]
    now[0] = 9.9
    tally.tick()
    assert len(lines) == 1
    now[0] = 10
    tally.tick()
    tally.tick()
    assert lines[1:] == ["999 connections were closed: nothing came for the limit of idle time (last: \\x1b[31m)"]
    tally.count("idle")
    tally.flush()
    assert lines[2:] == ["1 connections were closed: nothing came for the limit of idle time"]
