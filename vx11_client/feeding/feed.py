"""A feed: lines of a source become events and are delivered in batches, until the source ends or a signal comes."""

import dataclasses
import hashlib
import time

from vx11_client.event_ids import new_event_id
from vx11_client.feeding.feed_mapping import JOURNAL_ID, FeedMapping
from vx11_client.feeding.feed_progress import FeedProgress
from vx11_client.feeding.feed_sender import FeedSender
from vx11_client.feeding.feed_source import LineSource
from vx11_client.files.places import Places
from vx11_client.formats.format_reader import FormatReader
from vx11_client.lines.line import Line
from vx11_client.lines.records import RecordJoiner
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
        formats: FormatReader | None = None,
        joiner: RecordJoiner | None = None,
        places: Places | None = None,
    ) -> None:
        self._source = source
        self._mapping = mapping
        self._sender = sender
        self._progress = progress
        self._interruption = interruption
        self._batch_events = batch_events
        self._linger_seconds = linger_seconds
        self._formats = formats or FormatReader()
        self._joiner = joiner or RecordJoiner()
        self._places = places or Places()
        self._pending: list[PendingEvent] = []
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._line_number = 0
        # How far each source will be delivered once the pending events are.
        self._reached: dict[str, tuple[Line, int]] = {}
        self._settled: dict[str, tuple[Line, int]] = {}

    def run(self) -> None:
        """Raises ServerRefused when the server will take nothing from us, OSError when a file cannot be read."""
        while not self._source.ended and not self._interruption.requested:
            self._take(self._read())
            self._add(self._joiner.expired(now=time.monotonic()))
            self._report()
            if self._pending and self._batch_patience_seconds() <= 0:
                self._send_pending()
            self._progress.tick()
        if self._interruption.requested:
            self._progress.finishing()
        self._take(self._source.finish())
        self._add_rest()
        self._report()
        self._send_pending()

    def _read(self) -> list[Line]:
        try:
            return self._source.read(wait_seconds=self._patience_seconds())
        except OSError:
            # What was read before is sent all the same.
            self._add_rest()
            self._send_pending()
            raise

    def _report(self) -> None:
        self._progress.trouble(self._source.trouble)
        for remark in self._source.remarks():
            self._progress.remark(remark)

    def _patience_seconds(self) -> float:
        """How long the source may be waited for: until a batch must go, or a record has waited for its next line."""
        patience_seconds = self._batch_patience_seconds()
        deadline = self._joiner.next_deadline()
        if deadline is not None:
            patience_seconds = min(patience_seconds, max(0.0, deadline - time.monotonic()))
        return patience_seconds

    def _batch_patience_seconds(self) -> float:
        if not self._pending:
            return IDLE_SECONDS
        return max(0.0, self._pending_since + self._linger_seconds - time.monotonic())

    def _take(self, lines: list[Line]) -> None:
        now = time.monotonic()
        for line in lines:
            self._line_number += 1
            for found in self._formats.feed(dataclasses.replace(line, number=self._line_number)):
                self._add(self._joiner.feed((found,), now=now))

    def _add_rest(self) -> None:
        """All that has begun."""
        self._add(self._joiner.feed(self._formats.flush(), now=time.monotonic()))
        self._add(self._joiner.flush())

    def _add(self, records: list[Line]) -> None:
        """Put the events of these records to those that wait."""
        for record in records:
            event = self._mapping.event(record)
            if event is None:
                continue
            # An id of the journal is made of its cursor, as that of a line is of its place.
            event_id = str(event.get("event_id", ""))
            is_ours = event_id.startswith(JOURNAL_ID) or (bool(record.place) and not event_id)
            pending = encoded(event, event_id=_event_id(record), line_number=record.number, is_repeatable=is_ours)
            if self._pending_bytes + len(pending.body) >= BATCH_LIMIT_BYTES:
                self._send_pending()
            if not self._pending:
                self._pending_since = time.monotonic()
            self._pending.append(pending)
            self._pending_bytes += len(pending.body) + 1
            if len(self._pending) >= self._batch_events:
                self._send_pending()
        # Only now: while a batch is sent above, the records behind it are not delivered.
        self._reached = self._joiner.settled()

    def _send_pending(self) -> None:
        self._sender.send(self._pending)
        self._pending = []
        self._pending_bytes = 0
        for origin, reached in self._reached.items():
            if self._settled.get(origin) != reached:
                self._source.settled(*reached)
        self._settled = self._reached
        try:
            self._places.save()
        except OSError as error:
            # The next run would send more than it has to, and the server would recognise it.
            self._progress.trouble(f"how far was read cannot be kept: {error}")


def _event_id(record: Line) -> str:
    """The same for the same line of the same file, so that sending a file again doubles nothing; else a new one.

    What the line became is no part of it: sent again with other options, it is the same event.
    """
    if not record.place:
        return new_event_id()
    return f"line-{hashlib.sha256(record.place.encode()).hexdigest()[:40]}"
