"""A page does not end where the index does: what comes behind it is read in the same question."""

import pytest

from events import log, search
from events.index import IndexUnavailable
from events.query import Condition
from events.search import spans
from gateway.filters import Selection
from tests.events.samples import append_events, seqs

pytestmark = pytest.mark.usefixtures("ledger")


class FirstFive:
    """An index of the first five events, all of which may pass."""

    def extent(self) -> tuple[int, int]:
        return 1, 5

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        if not forwards:
            raise IndexUnavailable
        return list(range(low, high + 1))[:limit]


@pytest.mark.parametrize(
    "selection", [Selection(severities=frozenset({"info"})), Selection(queries=frozenset({"info*"}))]
)
def test_a_page_forwards_goes_on_behind_the_index(monkeypatch: pytest.MonkeyPatch, selection: Selection) -> None:
    monkeypatch.setattr(spans, "the_index", FirstFive)
    append_events(9, module="info")
    page = search.read_after(log.head().oldest, selection, limit=50)
    assert (seqs(page.entries), page.caught_up, page.complete) == (list(range(1, 10)), True, True)
    full = search.read_after(log.head().oldest, selection, limit=7)
    assert (seqs(full.entries), full.has_more, full.complete) == (list(range(1, 8)), True, True)
