"""What the addresses that answer questions have in common: the caller's rights, its filters, its budget."""

from collections.abc import Awaitable
from functools import partial
from typing import Any, ClassVar, TypeVar

import orjson
from django.http import HttpRequest

from events.http.polling import Asked, MaySee, Query, read_asked
from events.log import CursorGone, Page, timestamp
from events.stream.stream_request import read_filters
from gateway.filters import Selection
from gateway.http import headers
from gateway.http.authentication import narrowed, refused_credential, require
from gateway.http.errors import ApiError
from gateway.http.rest import Endpoint
from gateway.identity.principals import InvalidCredential, directory

Result = TypeVar("Result")


class Asking(Endpoint):
    """An endpoint that reads the log for its caller."""

    scopes: ClassVar[dict[str, str | None]] = {"GET": "events:read"}

    def read(self, request: HttpRequest) -> tuple[Query, Selection, Asked]:
        """The query, its filters, and how they are to be answered. Raises ApiError, BadFilter."""
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        filters = read_filters(query)
        # Refuses what was asked for by name; what may be seen is asked again each time that something is read.
        narrowed(self.principal.selection, filters)
        rights = partial(self.may_see, filters)
        return query, filters, read_asked(query, filters, who=self.principal.public_id, rights=rights)

    async def may_see(self, filters: Selection) -> MaySee:
        """By the rights of now: an answer may outlive those it began with. Raises ApiError, LedgerUnavailable."""
        known = self.principal
        try:
            self.principal = await directory.still(known)
        except InvalidCredential as refused:
            raise await refused_credential("main_auth_failed", refused, self.caller) from None
        require(self.principal, "events:read")
        return MaySee(self.principal.selection & filters, self.principal.expires_at)


async def unless_gone(reading: Awaitable[Result]) -> Result:
    """Raises ApiError for a cursor from which the log cannot be read any more."""
    try:
        return await reading
    except CursorGone as gone:
        head = gone.head
        extra = {"reset": gone.reset, "oldest": str(head.oldest), "newest": str(head.newest)}
        raise ApiError("cursor_expired", extra=extra) from None


def shown(page: Page, *, limit: int, total: int | None) -> dict[str, Any]:
    """The answer that holds a page."""
    searched_from, searched_to = page.searched or (page.first_cursor, page.cursor)
    begin, end = page.searched_times
    return {
        "events": [orjson.Fragment(entry.body) for entry in page.entries],
        "total": total,
        "limit": limit,
        "cursor": str(page.cursor),
        # What to send as `before` to page backwards.
        "first_cursor": str(page.first_cursor),
        "has_more": page.has_more,
        "searched_from": {"cursor": str(searched_from), "time": begin and timestamp(begin)},
        "searched_to": {"cursor": str(searched_to), "time": end and timestamp(end)},
        "complete": page.complete,
    }
