"""How long events take from their publisher to many streams, and what one delivered event costs the server."""

import time
from dataclasses import dataclass

from benchmarks.client import in_own_process
from benchmarks.figures import Figure, cost, latency
from benchmarks.peers.peer import Peer
from benchmarks.polling import Poll
from benchmarks.publisher import Publisher
from benchmarks.streams import Streams
from benchmarks.usage import Window, resident_bytes

# An event that has not come by now is lost, not late.
LATEST_SECONDS = 5
# How long the client sleeps at most: it reads some streams in turn.
TURN_SECONDS = 0.002
# The first events load modules; they are nobody's latency.
WARM_UP_EVENTS = 20
WARM_UP_PER_SECOND = 20.0
# Beyond it the client was the limit, and not the server.
CLIENT_CPU_LIMIT = 0.9
# Of the published rate, and of one core: a server that is within both is not behind.
KEPT_UP = 0.9
BUSY = 0.85


@dataclass(frozen=True)
class Load:
    streams: int
    per_second: float
    seconds: float

    @property
    def events(self) -> int:
        return round(self.per_second * self.seconds)

    def __str__(self) -> str:
        return f"{self.streams} streams x {self.per_second:g} events/s"


@dataclass(frozen=True)
class Delivery:
    """What became of the load; latencies in seconds from just before the POST, of every tenth stream."""

    load: Load
    received: int
    received_bytes: int
    lost: int
    doubled: int
    latencies_seconds: list[float]
    window: Window
    # Of the server, for publishing the same events with one stream open.
    publishing_cpu_seconds: float
    resident_bytes: int

    @property
    def reached_per_second(self) -> float:
        """Events that each stream received, per second."""
        return self.received / self.load.streams / self.window.seconds

    @property
    def kept_up(self) -> bool:
        """A server that is behind joins events, or loses them: that would be measured, and not what one event costs."""
        busy = self.window.server_cpu_seconds / self.window.seconds
        return not self.lost and self.reached_per_second > KEPT_UP * self.load.per_second and busy < BUSY

    @property
    def client_was_the_limit(self) -> bool:
        return self.window.client_cpu_seconds / self.window.seconds > CLIENT_CPU_LIMIT


def deliver(peer: Peer, load: Load) -> Delivery:
    """Streams and publisher in a process of their own."""
    return in_own_process(_deliver, peer, load)


def _deliver(peer: Peer, load: Load) -> Delivery:
    with Poll() as poll:
        warm_up = Streams(poll, peer, count=1)
        publish_and_read(poll, peer, warm_up, per_second=WARM_UP_PER_SECOND, count=WARM_UP_EVENTS)
        alone_events = max(1, load.events // 2)
        with Window(*peer.pids) as alone:
            publish_and_read(poll, peer, warm_up, per_second=load.per_second, count=alone_events)
        warm_up.close()
        streams = Streams(poll, peer, count=load.streams)
        opened_bytes = streams.received_bytes
        with Window(*peer.pids) as window:
            publish_and_read(poll, peer, streams, per_second=load.per_second, count=load.events)
        resident = resident_bytes(*peer.pids)
        streams.close()
    return Delivery(
        load,
        streams.receipts.received,
        streams.received_bytes - opened_bytes,
        streams.receipts.lost(published=load.events),
        streams.receipts.doubled,
        streams.latencies_seconds,
        window,
        alone.server_cpu_seconds / alone_events * load.events,
        resident,
    )


def publish_and_read(poll: Poll, peer: Peer, streams: Streams, *, per_second: float, count: int) -> None:
    """Until every stream has everything, or for LATEST_SECONDS after the last event that came.

    A server that is ever further behind is left with the rest after three times the time of the load.
    """
    publisher = Publisher(poll, peer, per_second=per_second, count=count)
    # What the same streams received before does not count: else the last events would come while others are opened.
    expected = streams.receipts.received + count * len(streams.all)
    began = time.perf_counter()
    received, until = streams.receipts.received, began + LATEST_SECONDS
    given_up = began + 3 * count / per_second + LATEST_SECONDS
    while streams.receipts.received < expected and time.perf_counter() < min(until, given_up):
        poll.turn(min(TURN_SECONDS, publisher.publish_due()))
        streams.read_some()
        if streams.receipts.received > received or not publisher.all_sent:
            received, until = streams.receipts.received, time.perf_counter() + LATEST_SECONDS
    publisher.close()


def figures(delivery: Delivery) -> list[Figure]:
    load, window = delivery.load, delivery.window
    fan_out_seconds = max(0.0, window.server_cpu_seconds - delivery.publishing_cpu_seconds)
    return [
        *cost(window, units=delivery.received, unit="delivered event"),
        Figure("of which fan-out, without publishing", fan_out_seconds / delivery.received * 1e6, "us"),
        Figure("events/s published", load.per_second, "/s"),
        Figure("events/s received", delivery.reached_per_second, "/s"),
        *latency("latency", delivery.latencies_seconds, worst=True),
        Figure("lost", delivery.lost, "events"),
        Figure("received twice", delivery.doubled, "events"),
        Figure("bytes of an event on the wire", delivery.received_bytes / delivery.received, "bytes"),
        Figure("server memory", delivery.resident_bytes / 1e6, "MB"),
        *([Figure("THE CLIENT WAS THE LIMIT", 1, "time", at_most=0)] if delivery.client_was_the_limit else []),
    ]
