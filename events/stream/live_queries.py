"""The queries with which each new event is compared: those of open streams and of polls that wait.

They are compared on the event loop, so all that a process serves waits for them. One costs microseconds; their number
has a limit, by terms, because a query has up to 32 of them.
"""

from collections import Counter
from functools import lru_cache

from events.query import compiled
from gateway.filters import Selection
from gateway.http.errors import ApiError

# Of all different queries together: a large shift with a query of five terms for each operator. At about a microsecond
# each for an event of the usual size.
TERMS_LIMIT = 5_000
TITLE = "Open streams here have as many queries as one process compares; take one that others have, or try again later."


class LiveQueries:
    """Of one process. Streams with the same query share it. Belongs to the event loop."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self.terms = 0

    def hold(self, selection: Selection) -> None:
        """Raises ApiError when there is no room; then nothing is held."""
        texts = selection.queries or frozenset()
        new = sum(_terms(text) for text in texts if text not in self._held)
        if new and self.terms + new > TERMS_LIMIT:
            raise ApiError("at_capacity", title=TITLE)
        self._held.update(texts)
        self.terms += new

    def release(self, selection: Selection) -> None:
        for text in selection.queries or ():
            self._held[text] -= 1
            if not self._held[text]:
                del self._held[text]
                self.terms -= _terms(text)


@lru_cache(maxsize=2_048)
def _terms(text: str) -> int:
    return compiled(text).terms


live_queries = LiveQueries()
