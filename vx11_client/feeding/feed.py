"""A feed: lines of a source become events and are delivered in batches, until the source ends or a signal comes."""

import hashlib
import time

from vx11_client import exact_json
from vx11_client.event_ids import new_event_id
from vx11_client.feeding.feed_mapping import FeedMapping, Fields
from vx11_client.feeding.feed_progress import FeedProgress
from vx11_client.feeding.feed_sender import FeedSender
from vx11_client.feeding.feed_source import Line, LineSource
from vx11_client.publishing.delivery import BATCH_LIMIT_BYTES, PendingEvent, encoded
from vx11_client.stop_signal import Interruption

# How long one look at a quiet source takes while no batch is waiting.
IDLE_SECONDS = 0.5


class Feed:
    """Carries a source to a server. `run` returns when everything that was read is delivered or left out."""

    def __init__(
        self,
        *,
        source: LineSource,
        mapping: FeedMapping,
        sender: FeedSender,
        progress: FeedProgress,
        interruption: Interruption,
        batch_events: int,
        linger_seconds: float,
    ) -> None:
        self._source = source
        self._mapping = mapping
        self._sender = sender
        self._progress = progress
        self._interruption = interruption
        self._batch_events = batch_events
        self._linger_seconds = linger_seconds
        self._pending: list[PendingEvent] = []
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._line_number = 0

    def run(self) -> None:
        """Raises ServerRefused when the server will take nothing from us."""
        while not self._source.ended and not self._interruption.requested:
            self._take(self._source.read(wait_seconds=self._patience_seconds()))
            self._progress.trouble(self._source.trouble)
            if self._pending and self._patience_seconds() <= 0:
                self._send_pending()
            self._progress.tick()
        if self._interruption.requested:
            self._progress.finishing()
        self._take(self._source.finish())
        self._send_pending()

    def _patience_seconds(self) -> float:
        """How long the source may be waited for: until the batch that has begun must go."""
        if not self._pending:
            return IDLE_SECONDS
        return max(0.0, self._pending_since + self._linger_seconds - time.monotonic())

    def _take(self, lines: list[Line]) -> None:
        for line in lines:
            self._line_number += 1
            event = self._mapping.event(line)
            if event is None:
                continue
            pending = encoded(event, event_id=_event_id(line, event), line_number=self._line_number)
            if self._pending_bytes + len(pending.body) >= BATCH_LIMIT_BYTES:
                self._send_pending()
            if not self._pending:
                self._pending_since = time.monotonic()
            self._pending.append(pending)
            self._pending_bytes += len(pending.body) + 1
            if len(self._pending) >= self._batch_events:
                self._send_pending()

    def _send_pending(self) -> None:
        self._sender.send(self._pending)
        self._pending = []
        self._pending_bytes = 0


def _event_id(line: Line, event: Fields) -> str:
    """The same for the same line of the same file, so that sending a file again doubles nothing; else a new one.

    What the line became is part of it: sent again with other options, it is another event and not a conflict.
    """
    if not line.place:
        return new_event_id()
    digest = hashlib.sha256(line.place.encode() + b"\0" + exact_json.canonical(event, option=0))
    return f"line-{digest.hexdigest()[:40]}"
