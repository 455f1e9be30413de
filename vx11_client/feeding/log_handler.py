"""A handler for Python's logging that publishes each record as an event. No Django.

logging.getLogger().addHandler(VX11Handler("https://operator.example.org", token, module="shop"))
logging.getLogger("shop").warning("stock is low", extra={"article": 4711})
"""

import contextlib
import logging
import os
import sys
import threading
import time

from vx11_client.backoff import Backoff
from vx11_client.feeding.log_records import DEFAULT_EVENT_TYPE, event_of_record
from vx11_client.http_answers import ServerRefused
from vx11_client.publishing.background import BackgroundDelivery, BackgroundReport
from vx11_client.publishing.delivery import PendingEvent, checked
from vx11_client.publishing.pending_queue import QUEUE_LIMIT_BYTES, QUEUE_LIMIT_EVENTS, PendingQueue
from vx11_client.publishing.publisher import LINGER_SECONDS
from vx11_client.server_access import checked_token, server_url

FLUSH_SECONDS = 5.0
# After a flush in vain, a request may still be under way.
JOIN_SECONDS = 0.5
# The same trouble is written to standard error once in this time.
NOTICE_SECONDS = 60.0
DROPPED_EVENT_TYPE = "log.dropped"


class VX11Handler(logging.Handler):
    """Publishes records in the background; never waits in the thread that logs, and never raises there.

    `url` is the address of the server and `token` a service token with `events:publish`; `module` may be left out when
    the token belongs to one. Raises InvalidSettings when they cannot be used.

    A record becomes an event of `event_type`: its message is the summary, its level the severity, its place, exception
    and extra fields the payload. `extra={"correlation_id": ..., "event_type": ...}` go into the event itself.

    Records wait in a queue of `queue_records` records and `queue_bytes` bytes. When it is full, new records are dropped
    and counted in `dropped_count`, as are records that cannot be made into an event. When the server takes events, an
    event of type `log.dropped` says how many are missing. Trouble is written to standard error, at most once a minute.
    A token that is refused is tried again every 30 s.

    flush() and the end of the program wait `flush_seconds` at most for what is in the queue; what was not sent then is
    counted on standard error. What the sending thread itself logs (httpx2 does) is not published.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        module: str = "",
        event_type: str = DEFAULT_EVENT_TYPE,
        level: int | str = logging.NOTSET,
        queue_records: int = QUEUE_LIMIT_EVENTS,
        queue_bytes: int = QUEUE_LIMIT_BYTES,
        linger_seconds: float = LINGER_SECONDS,
        flush_seconds: float = FLUSH_SECONDS,
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(level)
        self._module = module
        self._event_type = event_type
        self._flush_seconds = flush_seconds
        self._closed = False
        self._report = _Report(self)
        self._gave_up_at = -JOIN_SECONDS - 1
        self._background = BackgroundDelivery(
            url=server_url(url),
            token=checked_token(token),
            queue=PendingQueue(limit_events=queue_records, limit_bytes=queue_bytes),
            report=self._report,
            linger_seconds=linger_seconds,
            keep_trying=True,
            backoff=backoff,
        )

    @property
    def delivered_count(self) -> int:
        """Records that are durable in the log."""
        return self._report.delivered_count

    @property
    def refused_count(self) -> int:
        """Records that the server refused."""
        return self._report.refused_count

    @property
    def dropped_count(self) -> int:
        """Records that were not published: the queue was full, or they cannot be made into an event."""
        return self._background.dropped_count

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of the handler: a flush() elsewhere holds that one for seconds."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Puts the record into the queue; an error while doing so goes to handleError(), as in other handlers."""
        if self._background.owns(threading.get_ident()):
            return
        if self._closed:
            self._background.count_dropped()
            return
        try:
            event = event_of_record(record, event_type=self._event_type, module=self._module)
            if not self._background.offer(checked(event)):
                self._background.count_dropped()
        except Exception:  # noqa: BLE001 - logging must never end the work that it describes
            self._background.count_dropped()
            self.handleError(record)

    def flush(self) -> None:
        """Waits at most `flush_seconds` until what was logged before is durable."""
        # At the end of a program no thread can be started; then nothing can be sent.
        with contextlib.suppress(RuntimeError):
            if not self._background.flush(timeout_seconds=self._flush_seconds):
                self._gave_up_at = time.monotonic()

    def close(self) -> None:
        """Flushes, and ends the sending thread. Says on standard error how many records were not published."""
        if self._closed:
            return
        # logging.shutdown() has just called flush(); in vain a second time would be twice the wait.
        if time.monotonic() - self._gave_up_at > JOIN_SECONDS:
            self.flush()
        self._closed = True
        left = len(self._background.close(join_seconds=JOIN_SECONDS))
        if lost := left + self.dropped_count - self._report.announced_count:
            self._report.write(f"{lost} log records were not published ({left} of them at the end)")
        super().close()

    def announce_dropped(self, count: int) -> bool:
        """Publishes that so many records are missing; False when the queue has no room for that."""
        event = {
            "event_type": DROPPED_EVENT_TYPE,
            "summary": f"{count} log records are missing before this one: dropped by the logging handler",
            "severity": "warn",
            "payload": {"dropped": count, "process": os.getpid()},
        }
        return self._background.offer(checked(event | ({"module": self._module} if self._module else {})))


class _Report(BackgroundReport):
    """Counts, and writes to standard error what a person should know. Called in the thread that sends."""

    def __init__(self, handler: VX11Handler) -> None:
        self._handler = handler
        self._written_at: dict[str, float] = {}
        self.delivered_count = 0
        self.refused_count = 0
        self.announced_count = 0
        """Dropped records that an event in the log speaks of."""

    def delivered(self, count: int) -> None:
        self.delivered_count += count

    def settled(self) -> None:
        missing = self._handler.dropped_count - self.announced_count
        if missing and self._handler.announce_dropped(missing):
            self.announced_count += missing

    def left_out(self, event: PendingEvent, reason: str) -> None:
        self.refused_count += 1
        self._note("refused", f"the server refused a log record: {reason}")

    def retrying(self, reason: str) -> None:
        if self._handler.dropped_count > self.announced_count:
            self._note("dropped", f"the queue is full and log records are dropped: {reason}")

    def refused_for_good(self, error: ServerRefused) -> None:
        self._note("token", f"log records are not taken: {error}")

    def write(self, text: str) -> None:
        # A program may have closed its standard error, or have none.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"vx11_client: {text}\n")

    def _note(self, kind: str, text: str) -> None:
        now = time.monotonic()
        if now - self._written_at.get(kind, -NOTICE_SECONDS) >= NOTICE_SECONDS:
            self._written_at[kind] = now
            self.write(text)
