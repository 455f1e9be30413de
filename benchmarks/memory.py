"""What one idle stream costs in memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.client import in_own_process
from benchmarks.delivery import publish_and_read
from benchmarks.figures import Figure, aimed
from benchmarks.peers import catalogue
from benchmarks.peers.peer import Peer
from benchmarks.polling import Poll
from benchmarks.size import Size
from benchmarks.streams import Streams
from benchmarks.usage import resident_bytes

STREAMS = 2000
# Opened before, so that what the first streams cost once is not counted.
WARM_UP_STREAMS = 50
WARM_UP_EVENTS = 20
# What opening a stream needed for a moment is given back by then.
SETTLE_SECONDS = 3
PER_STREAM = "memory of an idle stream"
AIM_KB = 24


@dataclass(frozen=True)
class IdleMemory:
    title: str

    def run(self, size: Size, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
        results = {}
        for name in catalogue.installed(catalogue.ALL, announce):
            announce(f"{self.title}: {name}")
            with catalogue.ALL[name].serving() as peer:
                kilobytes = in_own_process(_idle_bytes, peer, size.scaled(STREAMS)) / 1000
            figures = [Figure(PER_STREAM, kilobytes, "KB")]
            aims = {PER_STREAM: AIM_KB} if name == catalogue.OURS else {}
            results[f"{self.title}, {name}"] = aimed(figures, aims)
        return results


def _idle_bytes(peer: Peer, count: int) -> float:
    with Poll() as poll:
        warm_up = Streams(poll, peer, count=WARM_UP_STREAMS)
        publish_and_read(poll, peer, warm_up, per_second=WARM_UP_EVENTS, count=WARM_UP_EVENTS)
        before = _settled(peer)
        streams = Streams(poll, peer, count=count)
        after = _settled(peer)
        streams.close()
        warm_up.close()
    return (after - before) / count


def _settled(peer: Peer) -> int:
    time.sleep(SETTLE_SECONDS)
    return resident_bytes(*peer.pids)
