"""A thread that publishes what is in the spool, in order and for as long as it takes. No Django."""

import threading
import time
from collections.abc import Callable, Sequence

from vx11_client.errors import InvalidSettings
from vx11_client.feeding.feed_sender import FeedSender, SenderReport
from vx11_client.http_answers import ServerRefused
from vx11_client.publishing.delivery import PendingEvent, encoded
from vx11_client.spool.disk_queue import Spool, Stored
from vx11_client.syslog.mapping import SyslogMapping
from vx11_client.syslog.tally import Tally
from vx11_client.terminal_text import shown
from vx11_client.wire_limits import BATCH_LIMIT_EVENTS

# How long a batch that is not full waits for more records.
LINGER_SECONDS = 0.1
# How often a refused token is tried again: a person has to put it right meanwhile.
REFUSED_WAIT_SECONDS = 30.0
IDLE_SECONDS = 1.0
QUOTED_CHARACTERS = 120


class _Ended(Exception):
    """The time of stop() is over."""


class Forwarder:
    """`make_sender(report, wait)` makes a FeedSender, also anew after a refusal, so that it reads its token again.

    `on_published` is called in this thread each time the spool has more room.
    """

    def __init__(
        self,
        spool: Spool,
        mapping: SyslogMapping,
        tally: Tally,
        make_sender: Callable[[SenderReport, Callable[[float], object]], FeedSender],
        *,
        on_published: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._mapping = mapping
        self._tally = tally
        self._make_sender = make_sender
        self._report = ForwarderReport(tally)
        self._on_published = on_published
        self._stop_at = float("inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="syslog-forwarder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, seconds: float) -> None:
        """Publishes what is in the spool, for so long at most. Does not wait: see `is_alive`.

        A request that runs then ends in its own time: what it publishes is published again, with the same ids.
        """
        self._stop_at = time.monotonic() + seconds
        self._stopping.set()
        self._spool.wake()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            sender = self._make_sender(self._report, self._wait)
            while batch := self._next_batch():
                events = [self._pending(stored) for stored in batch]
                while not self._send(sender, events):
                    sender.close()
                    sender = self._sender_anew(sender)
                self._spool.settle(batch)
                self._on_published()
                if time.monotonic() >= self._stop_at:
                    break
            sender.close()
        except _Ended:
            return

    def _next_batch(self) -> list[Stored]:
        """Empty at the end."""
        while True:
            batch = self._spool.read(
                limit_records=BATCH_LIMIT_EVENTS,
                wait_seconds=self._idle_seconds(),
                linger_seconds=self._linger_seconds(),
            )
            for remark in self._spool.take_remarks():
                self._tally.note(shown(remark))
            if batch or (self._stopping.is_set() and not self._spool.has_unread):
                return batch

    def _idle_seconds(self) -> float:
        return 0.0 if self._stopping.is_set() else IDLE_SECONDS

    def _linger_seconds(self) -> float:
        return 0.0 if self._stopping.is_set() else LINGER_SECONDS

    def _pending(self, stored: Stored) -> PendingEvent:
        # After a start with other options the same record may be another event: it is the same record.
        return encoded(self._mapping.event(stored.record), event_id=stored.event_id, is_repeatable=True)

    def _send(self, sender: FeedSender, events: Sequence[PendingEvent]) -> bool:
        """False when the token or the address is refused."""
        try:
            sender.send(events)
        except ServerRefused as refused:
            text = f"the gateway refuses the events: {refused}; the records stay in the spool, trying again"
            self._report.trouble(text)
            return False
        return True

    def _sender_anew(self, before: FeedSender) -> FeedSender:
        self._wait_out(REFUSED_WAIT_SECONDS)
        while True:
            try:
                return self._make_sender(self._report, self._wait)
            except InvalidSettings as problem:
                self._report.trouble(f"{problem}; trying again")
                self._wait_out(REFUSED_WAIT_SECONDS)

    def _wait_out(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._wait(left)

    def _wait(self, seconds: float) -> None:
        """Raises _Ended."""
        if self._stopping.is_set():
            left = self._stop_at - time.monotonic()
            if left <= 0:
                raise _Ended
            time.sleep(min(seconds, left, 0.1))
        else:
            self._stopping.wait(seconds)


class ForwarderReport(SenderReport):
    """Counts, and writes what changes. Called in the thread that publishes."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._trouble = ""

    def delivered(self, count: int) -> None:
        self._tally.published += count
        if self._trouble:
            self._trouble = ""
            self._tally.note("the gateway takes events again")

    def recognised(self, count: int) -> None:
        self._tally.known += count

    def known_otherwise(self, event: PendingEvent) -> None:
        self._tally.published += 1
        self._tally.known += 1

    def left_out(self, event: PendingEvent, reason: str) -> None:
        start = event.body[:QUOTED_CHARACTERS].decode("utf-8", errors="replace")
        self._tally.count("left_out", detail=f"{reason} in {start}")

    def retrying(self, reason: str) -> None:
        self.trouble(f"{reason}; trying again until it works, what comes meanwhile goes into the spool")

    def trouble(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._tally.note(shown(text))
