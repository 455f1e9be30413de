"""The far end of a stream: takes what is written, as slowly as a test likes, and reads it as a browser would."""

import asyncio
import json
from collections.abc import Callable

from httpx2 import ServerSentEvent

from tests.events.stream.sse_reading import read

WAIT_SECONDS = 10


class ListeningClient:
    """An transport for a stream. While paused, what is written is held, as it is with a full socket."""

    def __init__(self) -> None:
        self.received = b""
        # With a chunk that holds this the client stops reading, until it resumes.
        self.stops_at: bytes | None = None
        self.abandoned = False
        self._held = b""
        self._reading = asyncio.Event()
        self._reading.set()
        self._changed = asyncio.Event()

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    @property
    def taken_bytes(self) -> int:
        return len(self.received)

    def write(self, chunk: bytes) -> bool:
        assert chunk, "an empty chunk ends an answer"
        if self.stops_at is not None and self.stops_at in chunk:
            self.pause()
        self._held += chunk
        if self._reading.is_set():
            self._take()
        return not self._held

    async def drained(self) -> None:
        await self._reading.wait()

    async def close(self) -> bool:
        return not self._held

    def abandon(self) -> None:
        self.abandoned = True

    def pause(self) -> None:
        self._reading.clear()

    def resume(self) -> None:
        self._take()
        self._reading.set()

    def take_some(self) -> None:
        """A byte, as a very slow client would."""
        self.received, self._held = self.received + self._held[:1], self._held[1:]

    def _take(self) -> None:
        self.received, self._held = self.received + self._held, b""
        self._changed.set()

    @property
    def frames(self) -> list[ServerSentEvent]:
        return read(self.received)

    @property
    def seqs(self) -> list[int]:
        """Of the operator events, in the order they came."""
        messages = [json.loads(frame.data) for frame in self.frames if frame.event == "message"]
        return [message["seq"] for message in messages if message["type"] == "event"]

    @property
    def names(self) -> list[str]:
        """What the server said, in order: `connected`, `event` and the named events."""
        return [json.loads(frame.data)["type"] if frame.event == "message" else frame.event for frame in self.frames]

    def said(self, name: str) -> list[dict[str, object]]:
        """The data of every named event of this name."""
        return [json.loads(frame.data) for frame in self.frames if frame.event == name]

    async def until_received(self, events: int) -> None:
        await self.until(lambda: len(self.seqs) >= events)

    async def until(self, condition: Callable[[], object]) -> None:
        """Until what was received makes the condition true."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
