"""The other processes: publishes to them what this one commits, and receives what they commit, over the channel layer.

Any message may get lost: events that no message brought are found in the log (events/stream/relay.py).
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from events import metrics
from events.log import Entry
from gateway import tracing

logger = logging.getLogger(__name__)

GROUP = "events"
# Entries on their way to other processes; when it is full they are dropped, and those find them in the log.
OUTBOX_LIMIT_ENTRIES = 5_000
# Larger messages go without their entries: reading those from the log is cheaper than sending them.
MESSAGE_LIMIT_BYTES = 512 * 1024
SEND_WAIT_SECONDS = 2.0
RETRY_SECONDS = 1.0
RENEW_WAIT_SECONDS = 3.0
# A subscription that Redis has lost brings no error, only no messages. So it is made anew when the log has events of
# others that no message brought; but not more often than this, for other processes may be unable to publish.
RESUBSCRIBE_SECONDS = 10.0

# The shape of `entries` in a message, see _packed(). The release that sent no version sent this shape too, and takes it
# from a message without looking for a version: another shape needs another version, and another key than `entries`.
# A process that receives a version it does not know reads the log, as it does for a message that was lost.
WIRE_VERSION = 1

# Given the epoch, and the entries in seq order; None if the message does not hold them.
Received = Callable[[str, list[Entry] | None], None]


class Peers:
    """One process's end of the channel layer. Belongs to one event loop, and does nothing without its work()."""

    def __init__(self, layer: Any, received: Received) -> None:
        self._layer = layer
        self._received = received
        self._id = uuid.uuid4().hex
        self._outbox: asyncio.Queue[tuple[str, list[Entry]]] = asyncio.Queue()
        self._outbox_entries = 0
        self._subscribed_at = float("-inf")
        self._renew = asyncio.Event()

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What must run for as long as there are peers."""
        return [self._listen(), self._send()]

    def publish(self, epoch: str, entries: list[Entry]) -> None:
        if self._outbox_entries + len(entries) > OUTBOX_LIMIT_ENTRIES:
            metrics.UNSENT_MESSAGES.inc()
            return
        self._outbox.put_nowait((epoch, entries))
        self._outbox_entries += len(entries)

    def resubscribe(self) -> None:
        """The log has events that no message brought: make the subscription anew, if it is not new already."""
        if time.monotonic() - self._subscribed_at >= RESUBSCRIBE_SECONDS:
            self._renew.set()

    async def _send(self) -> None:
        while True:
            epoch, entries = await self._outbox.get()
            self._outbox_entries -= len(entries)
            message = {"type": "events.appended", "from": self._id, "epoch": epoch, "seq": entries[-1].seq}
            if sum(len(entry.body) for entry in entries) <= MESSAGE_LIMIT_BYTES:
                message |= {"version": WIRE_VERSION, "entries": [_packed(entry) for entry in entries]}
            if tracing.tracer is not None and (parent := tracing.tracer.traceparent(epoch, entries[-1].seq)):
                message["traceparent"] = parent
            try:
                async with asyncio.timeout(SEND_WAIT_SECONDS):
                    await self._layer.group_send(GROUP, message)
            except Exception as error:  # noqa: BLE001 - a channel layer raises what its backend raises
                metrics.UNSENT_MESSAGES.inc()
                logger.warning("new events could not be sent to other processes: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        """The subscription is made anew whenever it breaks."""
        while True:
            channel = ""
            try:
                channel = await self._layer.new_channel()
                await self._layer.group_add(GROUP, channel)
                self._subscribed_at = time.monotonic()
                await self._receive(channel)
                metrics.RESUBSCRIPTIONS.inc()
                # With new connections: the old one may lead to a server that hangs, or is not the primary any more.
                async with asyncio.timeout(RENEW_WAIT_SECONDS):
                    await self._layer.flush()
            except Exception as error:  # noqa: BLE001 - as above
                logger.warning("events of other processes cannot be received: %s", type(error).__name__)
                # Else the layer would go on filling a queue that is not emptied any more.
                with contextlib.suppress(Exception):
                    await self._layer.group_discard(GROUP, channel)
                await asyncio.sleep(RETRY_SECONDS)

    async def _receive(self, channel: str) -> None:
        """Take what comes, until the subscription is to be made anew."""
        self._renew.clear()
        renewal = asyncio.create_task(self._renew.wait())
        # A task of its own, never cancelled by a timeout: the layer unsubscribes a receive() that is.
        taking = asyncio.create_task(self._take_all(channel))
        try:
            await asyncio.wait([taking, renewal], return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                taking.result()
        finally:
            for task in (taking, renewal):
                task.cancel()
            await asyncio.gather(taking, renewal, return_exceptions=True)

    async def _take_all(self, channel: str) -> NoReturn:
        # Without a task and a wait for each: all that other processes commit comes this way.
        while True:
            self.take(await self._layer.receive(channel))
            # receive() does not wait while messages do; streams must not wait for all of them.
            await asyncio.sleep(0)

    def take(self, message: dict[str, Any]) -> None:
        """A message of the group, which our own process's are too."""
        if message.get("from") == self._id:
            return
        try:
            entries = _entries_of(message)
            if tracing.tracer is not None and "traceparent" in message:
                tracing.tracer.received(message["epoch"], message["seq"], message["traceparent"])
            self._received(message["epoch"], entries)
        except (KeyError, TypeError, ValueError):
            # Of another version of this program, as in a rolling deploy.
            self._received("", None)


def _entries_of(message: dict[str, Any]) -> list[Entry] | None:
    """None if there are none that can be read. Raises TypeError or ValueError for what are no entries."""
    if message.get("version", WIRE_VERSION) != WIRE_VERSION or "entries" not in message:
        return None
    return [_unpacked(fields) for fields in message["entries"]]


def _packed(entry: Entry) -> list[Any]:
    """Version 1: seven fields by position, without their names, as thousands of them go through Redis each second."""
    return [
        entry.seq,
        entry.severity,
        entry.module,
        entry.event_type,
        entry.correlation_id,
        entry.body,
        entry.created_at,
    ]


def _unpacked(fields: list[Any]) -> Entry:
    """Raises ValueError for another number of fields."""
    seq, severity, module, event_type, correlation_id, body, created_at = fields
    return Entry(
        seq=seq,
        severity=severity,
        module=module,
        event_type=event_type,
        correlation_id=correlation_id,
        body=body,
        created_at=created_at,
    )
