"""events/stats: counts over time; events/facets: which values fields have, and how often."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events import query as language
from events import search
from events.http import parameters
from events.http.asking import Asking
from events.http.polling import Asked, Query, read_choice, read_number, read_window, single
from events.log import Cursor, timestamp
from events.query import BadQuery
from events.search import ALL_TIME, Counted, Facets, Window
from gateway.filters import SEVERITIES, BadFilter, Selection
from gateway.http.openapi import component
from gateway.http.rest import answer
from ledger import clock

STATS_MAX_SECONDS = 86_400
STATS_MAX_BUCKETS = 1_000
# Of a range of time that is asked for by `from`, `to` or `buckets`.
BUCKETS_DEFAULT, BUCKETS_MAX = 60, 500
FACETS_MAX_FIELDS = 10
# By which time events are counted.
STORED, HAPPENED = "created_at", "occurred_at"
TIMES = (STORED, HAPPENED)
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
        """Counts per bucket of time and severity, of the last `seconds`, or from a time to another.

        By when events were stored, or (`by=occurred_at`) by when they happened.
        """
        query, filters, asked = self.read(request)
        within = read_window(query, "occurred_from", "occurred_to")
        # Nothing else can be meant by a range of happening alone.
        if read_choice(query, "by", TIMES) == HAPPENED or (within != ALL_TIME and not single(query, "by")):
            return await self._by_happening(query, filters, asked, within)
        if within != ALL_TIME:
            raise BadFilter("occurred_from", f"only with by={HAPPENED}; `from` and `to` say when events were stored")
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
        last = int((end - start).total_seconds() // bucket_seconds)
        return answer(_counted(counted, start, int((end - start).total_seconds()), bucket_seconds, last + 1))

    async def _by_happening(self, query: Query, filters: Selection, asked: Asked, within: Window) -> HttpResponse:
        for name in ("seconds", "bucket"):
            if single(query, name):
                raise BadFilter(name, f"not with by={HAPPENED}: take `occurred_from`, `occurred_to` and `buckets`")
        buckets = read_number(query, "buckets", BUCKETS_DEFAULT, minimum=1, maximum=BUCKETS_MAX)
        selection = (await self.may_see(filters)).selection
        asked = asked._replace(is_search=True)
        counted, start, seconds, number = await asked.run(
            search.count_by_happening, selection, within=within, buckets=buckets
        )
        return answer(_counted(counted, start, seconds * number, seconds, number))


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
        bucket_seconds = search.bucket_seconds((end - start).total_seconds() / buckets)
    elif seconds / bucket_seconds > STATS_MAX_BUCKETS:
        raise BadFilter("bucket", f"at most {STATS_MAX_BUCKETS} buckets; take a larger one")
    # Buckets begin at whole multiples, so that two readers see the same ones.
    first = int(start.timestamp()) // bucket_seconds * bucket_seconds
    return datetime.fromtimestamp(first, UTC), end, bucket_seconds


def _counted(counted: Counted, start: datetime, seconds: int, bucket_seconds: int, number: int) -> dict[str, Any]:
    buckets = [
        {
            "start": timestamp(start + timedelta(seconds=index * bucket_seconds)),
            **{severity: counted.counts.get((index, severity), 0) for severity in SEVERITIES},
        }
        for index in range(number)
    ]
    return {
        "seconds": seconds,
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
