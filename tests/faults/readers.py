"""A client that reads, as the page's script does: a ticket for each connection, and its cursor when it comes back."""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Sequence

import httpx2
from httpx2 import EventSource

from tests.client import API, Frame
from tests.stacks import HEARTBEAT_SECONDS

# Real clients wait for seconds; the fault would be over by then.
BACK_OFF_SECONDS = (0.2, 0.8)
ANSWER_SECONDS = 5
# Heartbeats tell a quiet connection from a dead one. A machine that is busy may delay a few of them.
SILENCE_SECONDS = 6 * HEARTBEAT_SECONDS
# What a reader may be told while something is away.
TRY_AGAIN = frozenset({429, 503})
# A ticket may be lost with the Redis that held it, or used up by a request whose answer never came.
TICKET_GONE = 401


class Reader:
    """Follows the stream over every fault; `seen` are the seqs of the events it was given, in that order."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        servers: Sequence[str],
        token: str,
        *,
        cursor: str,
        module: str = "",
        tickets: set[str],
    ) -> None:
        self._http = http
        self._servers = itertools.cycle(servers)
        self._headers = {"X-VX11-Token": token}
        self._tickets = tickets
        self.start = self.cursor = cursor
        # Sees the events of this module only; "" for all.
        self.module = module
        self.seen: list[int] = []
        self.ends: Counter[str] = Counter()
        self.resets: list[str] = []
        # Answers and frames that no reader should ever get.
        self.wrong: list[str] = []
        self.connections = 0
        self.connected = False
        self._reading = asyncio.Event()
        self._reading.set()

    @property
    def seq(self) -> int:
        """Where its cursor stands."""
        return int(self.cursor.rpartition("-")[2])

    def pause(self) -> None:
        """Take nothing from the connection until `resume`."""
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    async def run(self) -> None:
        while True:
            try:
                await self._connect(next(self._servers))
            except httpx2.TransportError:
                self.ends["broken"] += 1
            except (json.JSONDecodeError, KeyError) as error:
                self.wrong.append(f"what came cannot be read: {error!r}")
            finally:
                self.connected = False
            await asyncio.sleep(random.uniform(*BACK_OFF_SECONDS))

    async def _connect(self, server: str) -> None:
        issue = f"{server}{API}/events/sse-token"
        answer = await self._http.post(issue, headers=self._headers, timeout=ANSWER_SECONDS)
        if answer.status_code != 200:
            self._judge("ticket", answer.status_code, answer.text, TRY_AGAIN)
            return
        ticket = answer.json()["sse_token"]
        self._tickets.add(ticket)
        params = {"token": ticket, "last_event_id": self.cursor}
        if self.module:
            params["module"] = self.module
        timeout = httpx2.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS)
        async with self._http.stream("GET", f"{server}{API}/events/stream", params=params, timeout=timeout) as stream:
            if stream.status_code != 200:
                text = (await stream.aread()).decode()
                self._judge("stream", stream.status_code, text, TRY_AGAIN | {TICKET_GONE})
                return
            self.connections += 1
            async for message in EventSource(stream):
                await self._reading.wait()
                self._take(Frame.parse(message))

    def _judge(self, what: str, status: int, text: str, allowed: frozenset[int]) -> None:
        self.ends[f"{what} {status}"] += 1
        if status not in allowed:
            self.wrong.append(f"{status} to the request for a {what}: {text[:300]}")

    def _take(self, frame: Frame) -> None:
        self.connected = True
        self.cursor = frame.cursor or self.cursor
        if frame.is_event:
            self.seen.append(frame.data["seq"])
        elif frame.name == "stream-reset":
            self.resets.append(f"{frame.data} at {self.cursor}")
        elif frame.name == "stream-end":
            self.ends[frame.data["reason"]] += 1
