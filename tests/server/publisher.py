"""A publisher at a steady pace, on a thread of its own, that knows what it was told."""

import threading
import time

import httpx2

from tests.client import LOOPBACK, Client

EVENT = {"event_type": "test.crowd", "summary": "one of many", "payload": {"node": "node-07", "filling": "x" * 60}}


class Publisher(threading.Thread):
    """Publishes at a steady pace and keeps the seqs that were answered with 201."""

    def __init__(self, client: Client, *, events_per_second: int) -> None:
        super().__init__(daemon=True)
        self.durable: list[int] = []
        self._client = client
        self._pause_seconds = 1 / events_per_second
        self._enough = threading.Event()

    def run(self) -> None:
        headers = {"X-VX11-Token": self._client.token or ""}
        with httpx2.Client(base_url=self._client.url, **LOOPBACK, timeout=5, headers=headers) as http:
            due = time.monotonic()
            while not self._enough.wait(max(0.0, due - time.monotonic())):
                due += self._pause_seconds
                try:
                    answer = http.post("/operator/api/events", json=EVENT)
                except httpx2.TransportError:
                    due = time.monotonic() + 0.1
                else:
                    if answer.status_code == 201:
                        self.durable.append(answer.json()["seq"])

    def stop(self) -> list[int]:
        self._enough.set()
        self.join(20)
        return self.durable
