"""events/export: everything that passes, oldest first, streamed as NDJSON or CSV. Its last line says if it is whole."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import extend_schema

from events import log, search
from events.http import parameters
from events.http.asking import Asking, unless_gone
from events.http.polling import Asked, read_choice, single
from events.log import Cursor, CursorGone, Entry
from events.stream.connections import the_connections
from events.stream.stream_request import read_cursor
from gateway.csv_cells import BYTE_ORDER_MARK, csv_lines
from gateway.filters import Selection
from gateway.http.errors import ApiError, api_error_for
from gateway.http.openapi import refuses
from gateway.identity import audit
from gateway.models import REASON_LENGTH, TokenAudit
from gateway.shared_store.limits import LimitExceeded
from ledger import clock
from ledger.faults import LedgerUnavailable

# At a time in one process, and of one principal: each of them keeps a thread busy as fast as its reader reads.
EXPORTS_LIMIT = 8
EXPORTS_LIMIT_EACH = 2
RETRY_AFTER_SECONDS = 10
PAGE_EVENTS = 500
# For a database that is away, or a lane in which many wait: how often an export tries again, and after which pause.
TRIES = 15
PAUSE_SECONDS = 1.0
COLUMNS = (
    "seq", "event_id", "event_type", "summary", "module", "severity", "correlation_id", "created_at", "occurred_at",
    "payload",
)  # fmt: skip
CONTENT_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}

# How many are under way in this process, by principal.
_running: Counter[str] = Counter()


class ExportView(Asking):
    @extend_schema(
        operation_id="export_events",
        parameters=parameters.EXPORT_PARAMETERS,
        responses={(200, "application/x-ndjson"): {"type": "string"}, (200, "text/csv"): {"type": "string"}},
        extensions=refuses("cursor_expired", "at_capacity"),
    )
    async def get(self, request: HttpRequest) -> HttpResponseBase:
        """All events that pass, oldest first, up to the newest of now. The last line says whether they are all there,
        and the cursor from which `since` goes on."""
        query, filters, asked = self.read(request)
        form = read_choice(query, "format", tuple(CONTENT_TYPES))
        since = single(query, "since")
        head = await asked.lane.run_for(asked.who, log.head)
        start = read_cursor(since) if since else head.oldest
        if reset := head.reset_for(start):
            await unless_gone(_gone(CursorGone(reset, head)))
        name = f"events-{clock.now():%Y%m%d-%H%M%S}.{form}"
        fields = {"Content-Type": CONTENT_TYPES[form], "Content-Disposition": f'attachment; filename="{name}"'}
        if request.method == "HEAD":
            return HttpResponse(headers=fields)
        _check_room(asked.who)
        await self._note(filters)
        export = _Export(asked._replace(limit=PAGE_EVENTS, is_search=True), start, head.last_seq)
        lines = export.ndjson() if form == "ndjson" else export.csv()
        return StreamingHttpResponse(lines, headers=fields)

    async def _note(self, filters: Selection) -> None:
        await audit.record(
            TokenAudit(
                action=TokenAudit.Action.EXPORTED,
                principal_id=self.principal.public_id,
                principal_name=self.principal.name,
                reason=f"events; {filters.describe()}"[:REASON_LENGTH],
                address=self.caller.address,
                correlation_id=self.caller.correlation_id,
            )
        )


async def _gone(gone: CursorGone) -> None:
    raise gone


def _check_room(who: str) -> None:
    """Raises ApiError, LimitExceeded."""
    if _running.total() >= EXPORTS_LIMIT:
        raise ApiError("at_capacity")
    if _running[who] >= EXPORTS_LIMIT_EACH:
        raise LimitExceeded("exports", RETRY_AFTER_SECONDS)


@contextlib.contextmanager
def _place(who: str) -> Iterator[None]:
    """Raises ApiError, LimitExceeded: others may have begun since it was checked."""
    _check_room(who)
    _running[who] += 1
    try:
        yield
    finally:
        _running[who] -= 1
        if not _running[who]:
            del _running[who]


class _Export:
    """Pages of the log, one after the other, each by the rights of the moment at which it is written."""

    def __init__(self, asked: Asked, start: Cursor, last_seq: int) -> None:
        self._asked = asked
        self._last_seq = last_seq
        self.cursor = start
        self.events = 0
        # Why it has ended before its end; empty if it is whole.
        self.reason = ""

    async def ndjson(self) -> AsyncIterator[bytes]:
        async for entries in self._pages():
            yield b"".join(entry.body + b"\n" for entry in entries)
        end = {"complete": not self.reason, "events": self.events, "cursor": str(self.cursor)}
        yield orjson.dumps({"type": "export-end", **end, **({"reason": self.reason} if self.reason else {})}) + b"\n"

    async def csv(self) -> AsyncIterator[bytes]:
        yield BYTE_ORDER_MARK + csv_lines([COLUMNS])
        async for entries in self._pages():
            yield csv_lines(_cells(entry) for entry in entries)
        state = f"not complete ({self.reason})" if self.reason else "complete"
        yield csv_lines([[f"# {state}: {self.events} events, up to {self.cursor}"]])

    async def _pages(self) -> AsyncIterator[list[Entry]]:
        """Pages to the end, or to what ends them early: the answer has begun, so its last line says why."""
        try:
            with _place(self._asked.who):
                async with contextlib.aclosing(self._read_on()) as pages:
                    async for entries in pages:
                        yield entries
        except CursorGone as gone:
            self.reason = f"cursor_expired: {gone.reset}"
        except Exception as error:  # noqa: BLE001 - not swallowed: the last line names it
            self.reason = api_error_for(error).reason

    async def _read_on(self) -> AsyncGenerator[list[Entry], None]:
        while self.cursor.seq < self._last_seq:
            page = await self._next()
            entries = [entry for entry in page.entries if entry.seq <= self._last_seq]
            if entries:
                self.events += len(entries)
                yield entries
            self.cursor = page.cursor._replace(seq=min(page.cursor.seq, self._last_seq))
            if not page.has_more:
                return
            if the_connections().draining:
                self.reason = "draining"
                return

    async def _next(self) -> log.Page:
        """The next page. Raises CursorGone, ApiError, LedgerUnavailable."""
        for tries_left in reversed(range(TRIES)):
            may_see = await self._asked.rights()
            try:
                page = await self._asked.run(search.read_after, self.cursor, may_see.selection, limit=self._asked.limit)
            except LedgerUnavailable:
                if not tries_left:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if (await self._asked.rights()).selection == may_see.selection:
                return page
        raise ApiError("dependency_unavailable")


def _cells(entry: Entry) -> list[object]:
    """The payload is the text that was published: numbers keep their form."""
    event = orjson.loads(entry.body)
    return [entry.view().payload_text if name == "payload" else event[name] for name in COLUMNS]
