"""HTTP/1.1 as a load client needs it: requests made ready beforehand, answers read as they come. Loopback only.

An HTTP library would take more of the machine than the server that is measured.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Self, cast

HOST = "127.0.0.1"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class UnexpectedAnswer(Exception):
    """The server did not do what was asked, so there is nothing to measure."""


class Answer(NamedTuple):
    """A complete answer."""

    status: int
    body: bytes

    def expect(self, status: int) -> Self:
        """Itself. Raises UnexpectedAnswer when the status is another."""
        if self.status != status:
            raise UnexpectedAnswer(f"{self.status} instead of {status}: {self.body[:300].decode(errors='replace')}")
        return self

    def json(self) -> Any:
        return json.loads(self.body)


def request(method: str, path: str, *, token: str = "", body: object = None) -> bytes:
    """The bytes of one request; `body` is sent as JSON."""
    content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Accept: */*"]
    lines += [f"X-VX11-Token: {token}"] if token else []
    lines += [] if body is None else ["Content-Type: application/json"]
    lines += [f"Content-Length: {len(content)}"] if method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode() + content


class AnswerReader:
    """Takes the bytes of one answer and gives its body, piece by piece, without the marks of the transfer."""

    def __init__(self) -> None:
        # 0 until the head is complete.
        self.status = 0
        self.complete = False
        self._buffer = b""
        self._chunked = False
        self._missing_bytes = 0

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        if not self.status:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return b""
            self._read_head(head)
            self._buffer = rest
        return self._take_chunks() if self._chunked else self._take_measured()

    def _read_head(self, head: bytes) -> None:
        self.status = int(head.split(b" ", 2)[1])
        self._chunked = CHUNKED.search(head) is not None
        length = LENGTH.search(head)
        self._missing_bytes = int(length[1]) if length else 0

    def _take_measured(self) -> bytes:
        piece, self._buffer = self._buffer[: self._missing_bytes], self._buffer[self._missing_bytes :]
        self._missing_bytes -= len(piece)
        self.complete = self._missing_bytes == 0
        return piece

    def _take_chunks(self) -> bytes:
        pieces = []
        while not self.complete:
            size, end, rest = self._buffer.partition(b"\r\n")
            length = int(size, 16) if end else 0
            if not end or len(rest) < length + 2:
                break
            pieces.append(rest[:length])
            self._buffer = rest[length + 2 :]
            self.complete = length == 0
        return b"".join(pieces)


class Connection(asyncio.Protocol):
    """A kept-alive connection that carries one request at a time."""

    def __init__(self) -> None:
        # create_connection() fills it in before anybody can use it.
        self._transport: asyncio.WriteTransport
        self._waiting: asyncio.Future[Answer] | None = None
        self._reader = AnswerReader()
        self._pieces: list[bytes] = []

    @classmethod
    async def open(cls, port: int) -> Self:
        _, connection = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return connection

    async def ask(self, request: bytes) -> Answer:
        """Sends and waits for the whole answer. Raises ConnectionError."""
        self._reader, self._pieces = AnswerReader(), []
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    @classmethod
    async def ask_once(cls, port: int, request: bytes) -> Answer:
        """Over a connection of its own. Raises OSError."""
        connection = await cls.open(port)
        try:
            return await connection.ask(request)
        finally:
            connection.close()

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(self._reader.feed(data))
        if self._reader.complete and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(self._reader.status, b"".join(self._pieces)))

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the server closed the connection"))


# Called for each frame of a stream with its bytes and the time at which they were there (time.perf_counter).
TakeFrame = Callable[[bytes, float], None]


class EventStream(asyncio.Protocol):
    """An open event stream that gives its frames to a function."""

    def __init__(self, request: bytes, take: TakeFrame) -> None:
        self._request = request
        self._take = take
        # As above.
        self._transport: asyncio.WriteTransport
        self._reader = AnswerReader()
        self._rest = b""
        self._live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Whoever it was that closed it.
        self.closed = asyncio.Event()

    @classmethod
    async def open(cls, port: int, *, ticket: str, take: TakeFrame, cursor: str = "") -> Self:
        """Returns when the server has said `caught-up`: what happens from now on arrives.

        Raises UnexpectedAnswer and ConnectionError.
        """
        after = f"&last_event_id={cursor}" if cursor else ""
        opening = request("GET", f"/operator/api/events/stream?token={ticket}{after}")
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(lambda: cls(opening, take), HOST, port)
        await stream._live
        return stream

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        received_at = time.perf_counter()
        *frames, self._rest = (self._rest + self._reader.feed(data)).split(b"\n\n")
        if not self._live.done():
            self._look_for_start(frames)
        for frame in frames:
            self._take(frame, received_at)

    def _look_for_start(self, frames: Iterable[bytes]) -> None:
        if self._reader.status not in (0, 200):
            self._live.set_exception(UnexpectedAnswer(f"{self._reader.status} instead of a stream"))
        elif any(b"event: caught-up" in frame for frame in frames):
            self._live.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()
        if not self._live.done():
            self._live.set_exception(ConnectionError("the server closed the stream"))
