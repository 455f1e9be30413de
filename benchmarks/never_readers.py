"""Clients that never read, while others do: what they cost in memory, and whether the others are on time."""

import socket

from benchmarks.client import in_own_process
from benchmarks.delivery import publish_and_read
from benchmarks.figures import Figure, latency
from benchmarks.peers import ours
from benchmarks.peers.peer import Peer
from benchmarks.polling import Poll
from benchmarks.server import Target
from benchmarks.size import Size
from benchmarks.streams import Streams, open_all
from benchmarks.usage import forget_peak_resident_bytes, peak_resident_bytes

NEVER_READERS = 50
READERS = 20
# The largest event is 64 KiB, all its fields included.
PAYLOAD = {"text": "x" * 63_000}
# More bytes than the kernel's own buffers hold (4 MB for a connection), even in a short run.
EVENTS_PER_SECOND = 20
WARM_UP_EVENTS = 20
# As small as the kernel makes it: what a client does not read must lie at the server soon.
RECEIVE_BUFFER_BYTES = 4096


def measure(target: Target, size: Size) -> list[Figure]:
    """The peak of resident memory counts, not what is left at the end."""
    return in_own_process(_measure, ours.peer(target, payload=PAYLOAD), size)


def _measure(peer: Peer, size: Size) -> list[Figure]:
    never_readers, events = size.scaled(NEVER_READERS), round(EVENTS_PER_SECOND * size.fanout_seconds)
    with Poll() as poll:
        warm_up = Streams(poll, peer, count=READERS, timed_each=1)
        publish_and_read(poll, peer, warm_up, per_second=EVENTS_PER_SECOND, count=WARM_UP_EVENTS)
        warm_up.close()
        streams = Streams(poll, peer, count=READERS, timed_each=1)
        forget_peak_resident_bytes(*peer.pids)
        before = peak_resident_bytes(*peer.pids)
        silent = open_all(peer, count=never_readers, before_connect=_make_narrow)
        publish_and_read(poll, peer, streams, per_second=EVENTS_PER_SECOND, count=events)
        grown = peak_resident_bytes(*peer.pids) - before
        for connection in [*silent, *(stream.connection for stream in streams.all)]:
            connection.close()
    return [
        Figure("memory of a client that never reads", grown / never_readers / 1e6, "MB", at_most=2),
        Figure("published meanwhile", events * len(peer.publish) / 1e6, "MB"),
        *latency("others' latency", streams.latencies_seconds, worst=True),
        Figure("lost by others", streams.receipts.lost(published=events), "events", at_most=0),
        Figure("received twice by others", streams.receipts.doubled, "events", at_most=0),
    ]


def _make_narrow(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
