"""events/stats: counts over time; events/facets: which values fields have, and how often."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events import query as language
from events import search
from events.http import parameters
from events.http.asking import Asking
from events.http.polling import Query, read_number, single
from events.log import Cursor, timestamp
from events.query import BadQuery
from events.search import ALL_TIME, Counted, Facets, Window
from gateway.filters import SEVERITIES, BadFilter
from gateway.http.openapi import component
from gateway.http.rest import answer
from ledger import clock

STATS_MAX_SECONDS = 86_400
STATS_MAX_BUCKETS = 1_000
# Of a range of time that is asked for by `from`, `to` or `buckets`.
BUCKETS_DEFAULT, BUCKETS_MAX = 60, 500
FACETS_MAX_FIELDS = 10
MINUTE_SECONDS = 60
# A part of a minute by which a bucket may be shorter than asked for.
MINUTE_TOLERANCE = 0.05
VALUES_DEFAULT, VALUES_MAX = 10, 100


class StatsView(Asking):
    @extend_schema(
        operation_id="event_stats",
        parameters=parameters.stats_parameters(
            max_seconds=STATS_MAX_SECONDS, most_buckets=STATS_MAX_BUCKETS, buckets=(BUCKETS_DEFAULT, BUCKETS_MAX)
        ),
        responses={200: component("Stats")},
    )
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Counts per bucket of time and severity, of the last `seconds`, or from a time to another."""
        query, filters, asked = self.read(request)
        start, end, bucket_seconds = _range(query, asked.window)
        selection = (await self.may_see(filters)).selection
        options = {"budget": asked.budget()} if asked.is_search else {}
        counted = await asked.lane.run_for(
            asked.who,
            search.count_by_time,
            selection,
            since=start,
            until=asked.window.end,
            bucket_seconds=bucket_seconds,
            **options,
        )
        return answer(_counted(counted, start, end, bucket_seconds))


def _range(query: Query, window: Window) -> tuple[datetime, datetime, int]:
    """When the first bucket begins, when the last one ends, and how long each is. Raises ApiError, BadFilter."""
    seconds = read_number(query, "seconds", 900, minimum=1, maximum=STATS_MAX_SECONDS)
    bucket_seconds = read_number(query, "bucket", 5, minimum=1, maximum=parameters.BUCKET_MAX_SECONDS)
    buckets = read_number(query, "buckets", BUCKETS_DEFAULT, minimum=1, maximum=BUCKETS_MAX)
    end = window.end or clock.now()
    start = window.start or end - timedelta(seconds=seconds)
    if window != ALL_TIME or single(query, "buckets"):
        if single(query, "bucket"):
            raise BadFilter("bucket", "not with `from`, `to` or `buckets`: say how many `buckets` there are to be")
        bucket_seconds = _bucket_seconds((end - start).total_seconds() / buckets)
    elif seconds / bucket_seconds > STATS_MAX_BUCKETS:
        raise BadFilter("bucket", f"at most {STATS_MAX_BUCKETS} buckets; take a larger one")
    # Buckets begin at whole multiples, so that two readers see the same ones.
    first = int(start.timestamp()) // bucket_seconds * bucket_seconds
    return datetime.fromtimestamp(first, UTC), end, bucket_seconds


def _bucket_seconds(wanted: float) -> int:
    """About so long; from a minute on whole minutes, because the index has counted the events of those.

    `-24h` and the end of the range are read one after the other: a day and some milliseconds is a day.
    """
    if wanted < MINUTE_SECONDS:
        return max(1, math.ceil(wanted))
    return max(1, math.ceil(wanted / MINUTE_SECONDS - MINUTE_TOLERANCE)) * MINUTE_SECONDS


def _counted(counted: Counted, start: datetime, end: datetime, bucket_seconds: int) -> dict[str, Any]:
    last = int((end - start).total_seconds() // bucket_seconds)
    buckets = [
        {
            "start": timestamp(start + timedelta(seconds=index * bucket_seconds)),
            **{severity: counted.counts.get((index, severity), 0) for severity in SEVERITIES},
        }
        for index in range(last + 1)
    ]
    return {
        "seconds": int((end - start).total_seconds()),
        "bucket": bucket_seconds,
        "buckets": buckets,
        "cursor": str(counted.newest),
        "searched_from": {"cursor": str(counted.searched_from)},
        "complete": counted.complete,
    }


class FacetsView(Asking):
    @extend_schema(
        operation_id="event_facets",
        parameters=parameters.facets_parameters(
            most_fields=FACETS_MAX_FIELDS, values_default=VALUES_DEFAULT, most_values=VALUES_MAX
        ),
        responses={200: component("Facets")},
    )
    async def get(self, request: HttpRequest) -> HttpResponse:
        """The most frequent values of fields, with their counts."""
        query, filters, asked = self.read(request)
        fields, paths = _read_fields(single(query, "fields"))
        limit = read_number(query, "limit", VALUES_DEFAULT, minimum=1, maximum=VALUES_MAX)
        selection = (await self.may_see(filters)).selection
        asked = asked._replace(is_search=True)
        facets = await asked.run(search.count_fields, selection, fields) if fields else None
        sample = await asked.run(search.count_paths, selection, paths) if paths else None
        return answer(_shown(facets, sample, limit))


def _read_fields(text: str) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Fields of every event, and paths into the payload. Raises BadFilter."""
    names = [name.strip() for name in (text or "module,event_type,severity").split(",") if name.strip()]
    if len(names) > FACETS_MAX_FIELDS:
        raise BadFilter("fields", f"at most {FACETS_MAX_FIELDS} fields")
    fields, paths = [], {}
    for name in dict.fromkeys(names):
        if name in search.FIELDS:
            fields.append(name)
            continue
        try:
            paths[name] = language.read_path(name)
        except BadQuery:
            allowed = ", ".join(search.FIELDS)
            raise BadFilter("fields", f"{name[:64]!r} is none of {allowed} or payload.<path>") from None
    return fields, paths


def _shown(facets: Facets | None, sample: Facets | None, limit: int) -> dict[str, Any]:
    found = [each for each in (facets, sample) if each is not None]
    values = {
        name: {
            "values": [{"value": value, "count": count} for value, count in _most(counts, limit)],
            "distinct": len(counts),
            "sample": each is sample and not each.complete,
        }
        for each in found
        for name, counts in each.counts.items()
    }
    return {
        "facets": values,
        "searched_from": {"cursor": str(max((each.searched_from for each in found), key=_seq))},
        "complete": all(each.complete for each in found),
    }


def _most(counts: "Counter[str]", limit: int) -> list[tuple[str, int]]:
    """The most frequent; of equals, in the order of the alphabet, so that an answer does not change by itself."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]


def _seq(cursor: Cursor) -> int:
    return cursor.seq
