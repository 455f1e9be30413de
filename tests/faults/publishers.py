"""A module that publishes, as a careful one does: it repeats an event under the same event_id until it knows."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import httpx2

from tests.client import API, Json

PAUSE_BEFORE_REPEAT_SECONDS = 0.1
# What a publisher may be told while something is away: try again.
TRY_AGAIN = frozenset({429, 503})


class Publisher:
    """Publishes until told to stop, `batch` events at a time, and remembers what it was told about each.

    `servers` are base URLs; when one does not answer, the next is tried.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        servers: Sequence[str],
        token: str,
        event: Json,
        *,
        pause_seconds: float,
        answer_seconds: float,
        batch: int = 1,
    ) -> None:
        self._answer_seconds = answer_seconds
        self._http = http
        self._servers = itertools.cycle(servers)
        self._server = next(self._servers)
        self._headers = {"X-VX11-Token": token}
        self._event = event
        self._pause_seconds = pause_seconds
        self._batch = batch
        self._enough = asyncio.Event()
        # seq by event_id, as it was answered.
        self.stored: dict[str, int] = {}
        self.unanswered: set[str] = set()
        self.refused: list[int] = []
        # Answers that no publisher should ever get.
        self.wrong: list[str] = []

    async def run(self) -> None:
        for number in itertools.count(1):
            prefix = f"{self._event['correlation_id']}.{id(self):x}.{number}"
            await self.publish(*(f"{prefix}.{place}" for place in range(self._batch)))
            await asyncio.sleep(self._pause_seconds)
            if self._enough.is_set():
                return

    def stop(self) -> None:
        """Let `run` end as soon as what is in flight is stored."""
        self._enough.set()

    async def publish(self, *event_ids: str, **fields: Any) -> None:
        """One event, or several as a batch, until they are stored."""
        events = [{**self._event, **fields, "event_id": event_id} for event_id in event_ids]
        body = events[0] if len(events) == 1 else {"events": events}
        tried = False
        while not await self._try(event_ids, body, tried=tried):
            tried = True
            await asyncio.sleep(PAUSE_BEFORE_REPEAT_SECONDS)

    async def _try(self, event_ids: Sequence[str], body: Json, *, tried: bool) -> bool:
        """Whether this was the last try."""
        url = f"{self._server}{API}/events"
        try:
            answer = await self._http.post(url, json=body, headers=self._headers, timeout=self._answer_seconds)
        except httpx2.TransportError:
            self.unanswered.update(event_ids)
            self._server = next(self._servers)
            return False
        # 200 says that an earlier try was stored, so there must have been one.
        if answer.status_code == 201 or (answer.status_code == 200 and tried):
            told = answer.json()
            self.stored |= {event["event_id"]: event["seq"] for event in told.get("events", [told])}
            return True
        self.refused.append(answer.status_code)
        if answer.status_code not in TRY_AGAIN:
            self.wrong.append(f"{answer.status_code} to the publisher of {event_ids}: {answer.text[:300]}")
        return answer.status_code not in TRY_AGAIN
