"""Sends the batches of a feed, one after the other, for as long as it takes. No Django."""

import collections
import time
from collections.abc import Callable, Sequence

import httpx2

from vx11_client.backoff import Backoff
from vx11_client.publishing.delivery import EVENTS_PATH, Delivery, DeliveryReport, PendingEvent, client_options

# A wait is cut into pieces of this length, between which the caller looks after its source.
WAIT_SLICE_SECONDS = 0.5


class SenderReport(DeliveryReport):
    """Receives how the delivery goes, and how long the next try is away."""

    def waiting(self, seconds: float) -> None:
        """So long until the next try; called again and again."""


class FeedSender:
    """Sends batches; `send` returns when each event is in the log or was left out.

    `wait(seconds)` sleeps, or less; `look_after` is called again and again while the server is away. `others` are
    further addresses of the same log: each failure moves on to the next one.
    """

    def __init__(
        self,
        *,
        url: str,
        others: Sequence[str] = (),
        token: str,
        report: SenderReport,
        wait: Callable[[float], object],
        look_after: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._clients = collections.deque(
            httpx2.Client(**client_options(url=address, token=token)) for address in (url, *others)
        )
        self._report = report
        self._wait = wait
        self._look_after = look_after
        self._backoff = backoff or Backoff()

    def send(self, events: Sequence[PendingEvent]) -> None:
        """Raises ServerRefused when the server will take nothing from us (401, 403, no such address)."""
        delivery = Delivery(events, backoff=self._backoff, report=self._report)
        while (body := delivery.next_body()) is not None:
            try:
                wait_seconds = delivery.answered(self._clients[0].post(EVENTS_PATH, content=body))
            except httpx2.RequestError as error:
                wait_seconds = delivery.failed(error)
            if wait_seconds:
                self._clients.rotate(-1)
            self._wait_out(wait_seconds)

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _wait_out(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._report.waiting(left)
            self._look_after()
            self._wait(min(left, WAIT_SLICE_SECONDS))
