"""events/<event_id or cursor>: one event; events/<event_id or cursor>/around: what stands beside it in the log."""

import orjson
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events import log
from events.http import parameters
from events.http.asking import Asking, shown, unless_gone
from events.http.polling import MaySee, page_around
from events.log import CURSOR_FORM, ID_FORM, Cursor
from gateway.filters import EVERYTHING, Selection
from gateway.http.errors import ApiError
from gateway.http.openapi import component, refuses
from gateway.http.rest import answer
from ledger.reader import questions

NO_EVENT = "There is no such event, or the token does not carry the right to see it."


class EventView(Asking):
    @extend_schema(
        operation_id="event",
        parameters=parameters.NAME_PARAMETERS,
        responses={200: component("Event")},
        extensions=refuses("not_found", "cursor_expired"),
    )
    async def get(self, request: HttpRequest, name: str) -> HttpResponse:
        """One event, by its `event_id` or its cursor. 410 if it is no longer kept."""
        found = await self.find(name)
        return answer(orjson.Fragment(found.body))

    async def find(self, name: str) -> log.Entry:
        """By the id that its publisher gave it, else by cursor. Raises ApiError."""
        if not ID_FORM.fullmatch(name):
            raise ApiError("not_found", title=NO_EVENT)
        selection = (await self.may_see(EVERYTHING)).selection
        found = await unless_gone(questions.run_for(self.principal.public_id, _find, name, selection))
        if found is None:
            raise ApiError("not_found", title=NO_EVENT)
        return found


class AroundView(EventView):
    @extend_schema(
        operation_id="events_around",
        parameters=[*parameters.NAME_PARAMETERS, parameters.LIMIT_PARAMETER],
        responses={200: component("EventPage")},
        extensions=refuses("not_found", "cursor_expired"),
    )
    async def get(self, request: HttpRequest, name: str) -> HttpResponse:
        """The events before and after this one in the log, which is among them. Filters do not count here."""
        found = await self.find(name)
        _, _, asked = self.read(request)
        head = await questions.run_for(asked.who, log.head)
        page = await unless_gone(page_around(Cursor(head.epoch, found.seq - 1), asked._replace(rights=self._rights)))
        return answer(shown(page, limit=asked.limit, total=None))

    async def _rights(self) -> MaySee:
        return await self.may_see(EVERYTHING)


def _find(name: str, selection: Selection) -> log.Entry | None:
    found = log.find(name, selection)
    if found is None and CURSOR_FORM.fullmatch(name):
        return log.find_at(Cursor.parse(name), selection)
    return found
