"""What tests listen with leaves no connection behind, at whatever moment it closes: the next test would be blamed."""

import asyncio
import gc
import socket
import warnings
from urllib.parse import urlsplit

import pytest

from tests.listener import Listener

CLIENTS = 3


class _Silent(Listener):
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()


@pytest.mark.parametrize("turns", range(8))
def test_a_connection_that_comes_while_it_closes_is_closed(turns: int) -> None:
    """After no turn of the loop it is not accepted yet, after one or two it has no task, later it is being served."""

    async def come_and_close() -> None:
        async with _Silent() as listener:
            address = urlsplit(listener.url)
            for _ in range(CLIENTS):
                clients.append(socket.create_connection((address.hostname, address.port or 0)))
            for _ in range(turns):
                await asyncio.sleep(0)

    clients: list[socket.socket] = []
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always")
        asyncio.run(come_and_close())
        gc.collect()
    for client in clients:
        client.close()
    assert [str(warning.message) for warning in unclosed] == []
