"""WHAT WAS THAT? Questions to the log: pages of what passes, and counts. Each costs a bounded part of the log.

The index narrows what must be read, and without it the log is read itself; what passes is decided by filters and
queries alone. An answer says how far the search came, and the next question goes on from there: being rare is never an
error. For threads of the lanes `questions` and `searches`.
"""

from events.search.budget import Budget
from events.search.counting import COUNT_LIMIT, Counted, bucket_seconds, count, count_by_time
from events.search.faceting import FIELDS, Facets, count_fields, count_paths
from events.search.happening import Happened, count_by_happening
from events.search.pages import ALL_TIME, Window, read_after, read_before, read_newest

__all__ = (
    "ALL_TIME",
    "COUNT_LIMIT",
    "FIELDS",
    "Budget",
    "Counted",
    "Facets",
    "Happened",
    "Window",
    "bucket_seconds",
    "count",
    "count_by_happening",
    "count_by_time",
    "count_fields",
    "count_paths",
    "read_after",
    "read_before",
    "read_newest",
)
