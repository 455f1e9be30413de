"""Streams with filters against the same streams without: what sorting readers by what they may see costs."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks import delivery
from benchmarks.comparison import CPU
from benchmarks.delivery import Load
from benchmarks.figures import Figure
from benchmarks.peers import ours
from benchmarks.server import serving
from benchmarks.size import Size

STREAMS = 1000
EVENTS_PER_SECOND = 20
# All let the events of the load pass, so that as much is delivered as without.
QUERIES = (
    "?severity=info",
    "?severity=info,warn",
    "?severity=info,error",
    "?severity=info,warn,error,critical",
    "?event_type=bench.load",
    "?event_type=bench.load,drift",
    "?correlation_id=bench",
    "?severity=info&event_type=bench.load&correlation_id=bench",
)


def asked(count: int) -> tuple[str, ...]:
    """So many queries that differ, each of which lets the events of the load pass: words, fields, numbers."""
    texts = [
        text
        for number in range(-(-count // 5))
        for text in (
            f"-absent{number}",
            f"type:bench.* -module:m{number}",
            f"severity>=info correlation:bench OR late{number}",
            f"bench* -payload.number:{number}",
            f'-"two words" -(absent{number} OR payload.a.b>{number})',
        )
    ]
    return tuple("?" + urlencode({"q": text}) for text in texts[:count])


# As many as operators of a large shift ask.
ASKED = asked(50)
FILTERS_AT_MOST, QUERIES_AT_MOST = 1.2, 1.5


@dataclass(frozen=True)
class FilterCost:
    """`queries` are those of the streams, by turns; what they may cost is given in streams without any."""

    title: str
    queries: tuple[str, ...] = QUERIES
    at_most: float = FILTERS_AT_MOST

    def run(self, size: Size, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
        load = Load(size.scaled(STREAMS), EVENTS_PER_SECOND, size.fanout_seconds)
        results = {}
        for name, queries in (("none", ("",)), (f"{len(self.queries)} different", self.queries)):
            announce(f"{load}: {name}")
            with serving() as target:
                results[name] = delivery.figures(delivery.deliver(ours.peer(target, queries=queries), load))
        without, with_filters = (
            next(figure.value for figure in figures if figure.name == CPU) for figures in results.values()
        )
        ratio = Figure(f"{CPU}, to none", with_filters / without, "x", at_most=self.at_most)
        titled = {f"{self.title}, {name}": figures for name, figures in results.items()}
        return {**titled, f"{self.title}, compared": [ratio]}
