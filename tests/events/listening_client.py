"""The far end of a stream: takes what is written, as slowly as a test likes, and reads it as a browser would."""

import asyncio
from collections.abc import Callable

from httpx_sse import ServerSentEvent

from tests.events.sse_reading import read

WAIT_SECONDS = 10


class ListeningClient:
    """Pass `write` to a stream. While `paused`, writing waits, as it does with a full socket."""

    def __init__(self) -> None:
        self.received = b""
        # A chunk that holds this is not read until the client resumes.
        self.stops_at: bytes | None = None
        # Whether a chunk waits for the client to read on.
        self.writing = False
        self._reading = asyncio.Event()
        self._reading.set()
        self._changed = asyncio.Event()

    async def write(self, chunk: bytes) -> None:
        if self.stops_at is not None and self.stops_at in chunk:
            self.pause()
        self.writing = True
        await self._reading.wait()
        self.writing = False
        self.received += chunk
        self._changed.set()

    def pause(self) -> None:
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    @property
    def frames(self) -> list[ServerSentEvent]:
        return read(self.received)

    @property
    def seqs(self) -> list[int]:
        """Of the operator events, in the order they came."""
        messages = [frame.json() for frame in self.frames if frame.event == "message"]
        return [message["seq"] for message in messages if message["type"] == "event"]

    @property
    def names(self) -> list[str]:
        """What the server said, in order: `connected`, `event` and the named events."""
        return [frame.json()["type"] if frame.event == "message" else frame.event for frame in self.frames]

    def said(self, name: str) -> list[dict[str, object]]:
        """The data of every named event of this name."""
        return [frame.json() for frame in self.frames if frame.event == name]

    async def until(self, condition: Callable[[], object]) -> None:
        """Until what was received makes the condition true."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
