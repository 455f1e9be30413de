"""Tallies that become one hold what each of them held, in every minute, also in one that several have."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from events.index.tallies import Counts, Grid, Source, Tally

SOURCES = st.builds(Source, st.sampled_from(["info", "warn"]), st.sampled_from(["a", "b"]), st.sampled_from(["t", "u"]))
EVENTS = st.lists(st.tuples(st.integers(98, 103), SOURCES), max_size=12)


@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_tallies_together_are_the_tally_of_all(parts: list[list[tuple[int, Source]]]) -> None:
    first, *others = [Tally.of(number, number, Counts(part)) for number, part in enumerate(parts)]
    together = first.together(others)
    assert (together.first, together.last) == (0, len(parts) - 1)
    wanted = Counter((max(0, minute - 100), source) for part in parts for minute, source in part)
    without_severities = together._replace(severities=None)
    found: Counter[tuple[int, Source]] = Counter()
    for bucket, source, events in without_severities.by_bucket(Grid(100, 1), lambda _: True):
        found[bucket, source] += events
    assert found == wanted
    by_severity: Counter[tuple[int, str]] = Counter()
    for bucket, source, events in together.by_bucket(Grid(100, 1), lambda source: source.severity == "warn"):
        by_severity[bucket, source.severity] += events
    assert by_severity == Counter(
        (bucket, source.severity) for bucket, source in wanted.elements() if source[0] == "warn"
    )
