"""An intake with its spool and a listener, in the process of a test."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from vx11_client.spool.disk_queue import Spool
from vx11_client.syslog.connections import SyslogConnection
from vx11_client.syslog.intake import Intake
from vx11_client.syslog.limits import Limits
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
