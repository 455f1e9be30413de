"""Datagrams: each is a record or is counted as dropped; and what a receiver says of what is missing."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from tests.vx11_client.receiving import Receiving, contents, until
from vx11_client.syslog.datagrams import DatagramReader, dropped_by_system
from vx11_client.syslog.limits import Limits
from vx11_client.syslog.tally import Tally


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
