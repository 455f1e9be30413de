"""How long the benchmarks take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Seconds of load, and how much of what cannot be said in seconds."""

    ticket_seconds: float
    fanout_seconds: float
    publish_seconds: float
    prune_events: int
    redemptions: int
    warm_up_requests: int
    browser_seconds: float
    # Before the one that the console looks for.
    needle_events: int
    # In the logs that are searched.
    search_events: tuple[int, ...]
    # Of the clients that a measurement is about: 1 is all of them.
    clients: float = 1.0

    def scaled(self, clients: int) -> int:
        return max(2, round(clients * self.clients))


FULL = Size(
    ticket_seconds=15,
    fanout_seconds=15,
    publish_seconds=10,
    prune_events=500_000,
    redemptions=2_000,
    warm_up_requests=200,
    browser_seconds=60,
    needle_events=1_000_000,
    search_events=(100_000, 1_000_000, 10_000_000),
)
# For a look while working: the same load, for too short a time to be sure of a p99.
QUICK = Size(
    ticket_seconds=3,
    fanout_seconds=4,
    publish_seconds=3,
    prune_events=200_000,
    redemptions=300,
    warm_up_requests=50,
    browser_seconds=12,
    needle_events=100_000,
    search_events=(300_000,),
)
