"""The transport for servers without a writer of ours: sends in order, says when enough waits, and ends in time."""

import asyncio
from typing import Any

import pytest

from events.stream import transport
from events.stream.transport import EXTENSION, SendTransport, open_transport


class Far:
    """An ASGI server's send, which waits while its client does not read."""

    def __init__(self) -> None:
        self.body = b""
        self.reading = asyncio.Event()
        self.reading.set()
        self.cancelled = False

    async def send(self, message: dict[str, Any]) -> None:
        assert message["more_body"]
        assert message["body"], "an empty message is of no use"
        try:
            await self.reading.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        self.body += message["body"]


async def test_what_is_written_arrives_in_order_and_nothing_is_held_afterwards() -> None:
    far = Far()
    ours = SendTransport(far.send)
    assert all([ours.write(b"one "), ours.write(b"two "), ours.write(b"three")])
    assert ours.held_bytes == 13
    await ours.drained()
    assert ours.write(b" four")
    assert await ours.close()
    assert far.body == b"one two three four"
    assert (ours.held_bytes, ours.taken_bytes) == (0, 18)


async def test_a_client_that_does_not_read_is_full_at_the_limit_and_takes_all_when_it_does() -> None:
    far = Far()
    far.reading.clear()
    ours = SendTransport(far.send)
    chunk = b"x" * (transport.PENDING_LIMIT_BYTES // 4)
    assert [ours.write(chunk) for _ in range(4)] == [True, True, True, False]
    waiting = asyncio.create_task(ours.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    far.reading.set()
    await asyncio.wait_for(waiting, 5)
    assert far.body == chunk * 4


async def test_a_stream_that_is_cancelled_while_it_waits_leaves_what_is_being_sent_alone() -> None:
    far = Far()
    far.reading.clear()
    ours = SendTransport(far.send)
    ours.write(b"whole")
    waiting = asyncio.create_task(ours.drained())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    far.reading.set()
    await ours.drained()
    assert far.body == b"whole"


async def test_a_client_that_never_reads_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LINGER_SECONDS", 0.01)
    far = Far()
    far.reading.clear()
    ours = SendTransport(far.send)
    ours.write(b"the last words")
    assert not await ours.close()
    await asyncio.sleep(0)
    assert far.cancelled


async def test_the_servers_writer_is_taken_where_there_is_one() -> None:
    far, ours = Far(), SendTransport(Far().send)
    assert open_transport({"extensions": {EXTENSION: lambda: ours}}, far.send) is ours
    assert isinstance(open_transport({"extensions": {}}, far.send), SendTransport)
    assert isinstance(open_transport({}, far.send), SendTransport)
