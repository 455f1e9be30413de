"""The ground of the views here: the process's upkeep runs from the first request on, whichever server serves it."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from gateway.authentication import note_refusal
from gateway.errors import Refusal
from gateway.limits import limiter
from gateway.rest import Endpoint, answer
from gateway.schema import Json, component
from operator_api.modules import BACKEND, OFF_BY_POLICY
from operator_api.upkeep import the_upkeep
from operator_api.windows import Actor

# Whoever is known may look.
EVERYBODY = frozenset({"principal", "session", "service"})
# For extend_schema: the refusal that is not of the one form.
BY_POLICY: dict[Any, Json] = {(403, "application/json"): component("OffByPolicy")}


class OperatorEndpoint(Endpoint):
    async def dispatch(  # type: ignore[override]  # as in Endpoint
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        the_upkeep().start()
        return await super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        principal = self.principal
        return Actor(principal.public_id, principal.name or principal.public_id, self.caller.correlation_id)

    async def count_change(self) -> None:
        """Every change is a write under the head of the log, whoever makes it. Raises LimitExceeded.

        Closing a window is not counted: there is nothing to close that was not opened, and it must never have to wait.
        """
        await limiter.spend("changes", self.principal.public_id)

    def off_by_policy(self) -> HttpResponse:
        """No window is open. Front ends in the field read `status` as a word here, so this body is one of its own."""
        refusal = Refusal("window_closed")
        note_refusal(refusal, self.caller, principal_id=self.principal.public_id)
        body = {
            "status": OFF_BY_POLICY,
            "service": BACKEND,
            "message": "Disabled by SOLO_MADRE policy",
            "recommended_action": "Ask Madre to open operator window",
            "correlation_id": self.caller.correlation_id,
            "detail": refusal.reason,
            "reason": refusal.reason,
        }
        return answer(body, refusal.status)
