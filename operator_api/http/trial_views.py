"""test-event: one event, sent by hand."""

from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events import log
from events.log import Appended, Cursor
from events.stream.relay import the_relay
from gateway.http.openapi import body_of, component
from gateway.http.rest import answer
from ledger.writer import writer
from operator_api.http.endpoint import OperatorEndpoint
from operator_api.trial_event import submission_of

# Who may open the window may act, and a test event is an act that all readers see.
NEEDED = "window:write"


class TrialEventView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"POST": NEEDED}

    @extend_schema(operation_id="send_test_event", request=body_of("Nothing"), responses={201: component("Published")})
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Publish one event of type system.test, which names who sent it. 201 means durable."""
        await self.count_change()
        await self.read(request, lambda body: body)
        # Without a running relay, other processes would get the event only when they next poll the log.
        await the_relay().start()
        appended: Appended = await writer.commit(log.append_many, submission_of(self.actor))
        ((event_id, seq),) = appended.ids
        return answer({"event_id": event_id, "seq": seq, "cursor": str(Cursor(appended.epoch, seq))}, 201)
