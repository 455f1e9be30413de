"""How long the benchmarks take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Seconds of load, and how much of what cannot be said in seconds."""

    ticket_seconds: float
    fanout_seconds: float
    streams: int
    publish_seconds: float
    redemptions: int
    warm_up_requests: int


FULL = Size(
    ticket_seconds=15, fanout_seconds=30, streams=100, publish_seconds=10, redemptions=2_000, warm_up_requests=200
)
# For a look while working: the same load, for too short a time to be sure of a p99.
QUICK = Size(ticket_seconds=3, fanout_seconds=5, streams=100, publish_seconds=3, redemptions=300, warm_up_requests=50)
