"""The ground of the views here: in one process, or in a backend with a gateway before it (docs/roles.md).

All roles have the same views, so methods, kinds of caller and scopes are checked by the same lines at both.
The process's upkeep runs from the first request on, whichever server serves it.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from gateway.backend import delegation
from gateway.backend.client import BackendUnavailable, Question, the_backend
from gateway.backend.delegation import Delegation
from gateway.filters import is_module_name
from gateway.http.authentication import Caller, note_refusal, refused_credential, require, with_header
from gateway.http.errors import ApiError
from gateway.http.json_bodies import read_json
from gateway.http.openapi import Json, component
from gateway.http.rest import Endpoint, answer
from gateway.identity.principals import InvalidCredential, Principal, directory
from gateway.shared_store.limits import limiter
from operator_api.background_tasks import the_upkeep
from operator_api.modules import BACKEND, OFF_BY_POLICY
from operator_api.windows import WindowActor

Made = TypeVar("Made")

# Whoever is known may look.
EVERYBODY = frozenset({"principal", "session", "service"})
# For extend_schema: the refusal that is not of the one form.
BY_POLICY: dict[Any, Json] = {(403, "application/json"): component("OffByPolicy")}


# Where the gateway has these endpoints; a backend has them under /api/ alone. The longest first.
PREFIXES = ("/operator/api/v1/", "/operator/api/")
# The headers of a request that these endpoints read, besides those that the gateway itself has read.
FORWARDED_HEADERS = ("Content-Type", "Content-Encoding", "Idempotency-Key")
# How a request says that a gateway has forwarded it. A VX11_BACKEND_URL that leads back to a gateway would else make
# one request go round until its time is over.
FORWARDED = "1.1 vx11-gateway"


class OperatorEndpoint(Endpoint):
    # At a backend, once the gateway's own token is accepted: for whom it asks.
    _answers = ""

    async def dispatch(  # type: ignore[override]  # as in Endpoint
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        the_upkeep().start()
        response = await super().dispatch(request, *args, **kwargs)
        if self._answers:
            response.headers[delegation.OPERATOR] = self._answers
        return response

    async def without_backend(self) -> HttpResponse:
        """What a gateway answers while its backend is away. Raises ApiError."""
        raise ApiError("backend_unavailable")

    def _handler_of(self, method: str) -> Callable[..., Awaitable[HttpResponseBase]]:
        handler = super()._handler_of(method)
        return self._forward if settings.ROLE == "gateway" and method != "OPTIONS" else handler

    async def _forward(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The backend's answer. The caller is known and may call; whether he may do this, it looks at once more."""
        if FORWARDED in request.headers.get("Via", ""):
            raise ApiError("backend_unavailable", title="VX11_BACKEND_URL leads to a gateway.")
        question = _question(request, self.principal, self.caller)
        try:
            reply = await the_backend().ask(question)
        except BackendUnavailable:
            return await self.without_backend()
        return HttpResponse(reply.body, status=reply.status, headers=reply.headers)

    async def _identify(self, request: HttpRequest) -> Principal:
        if settings.ROLE != "backend":
            return await super()._identify(request)
        raw = request.scope["headers"] if isinstance(request, ASGIRequest) else ()
        service = await with_header(raw, self.caller)
        if service is None:
            raise ApiError("missing_token")
        require(service, delegation.FORWARD)
        delegated = delegation.read(raw)
        self._answers = delegation.NOBODY if delegated is None else delegated.public_id
        return service if delegated is None else await self._operator(delegated)

    async def _operator(self, delegated: Delegation) -> Principal:
        """Whom the gateway asks for, with the rights that both know of. Raises ApiError, LedgerUnavailable."""
        self.caller = dataclasses.replace(self.caller, address=delegated.address)
        try:
            principal = await directory.named(delegated.public_id, session_id=delegated.session_id)
        except InvalidCredential as refused:
            raise await refused_credential("main_auth_failed", refused, self.caller) from None
        return dataclasses.replace(principal, scopes=principal.scopes & delegated.scopes)

    @property
    def actor(self) -> WindowActor:
        principal = self.principal
        return WindowActor(principal.public_id, principal.name or principal.public_id, self.caller.correlation_id)

    async def count_change(self) -> None:
        """Every change is a write under the head of the log, whoever makes it. Raises LimitExceeded.

        Closing a window is not counted: there is nothing to close that was not opened, and it must never have to wait.
        """
        await limiter.spend("changes", self.principal.public_id)

    async def read(self, request: HttpRequest, make: Callable[[dict[str, Any]], Made]) -> Made:
        """What `make` makes of the body's JSON object; charge before. Raises ApiError."""
        return await read_json(request, make, who=self.principal.public_id)

    def off_by_policy(self) -> HttpResponse:
        """No window is open. Front ends in the field read `status` as a word here, so this body is one of its own."""
        refusal = ApiError("window_closed")
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


def _question(request: HttpRequest, principal: Principal | None, caller: Caller) -> Question:
    """Nothing of the request but what these endpoints read.

    Raises ApiError for a path that another could be made of.
    """
    prefix = next(prefix for prefix in PREFIXES if request.path.startswith(prefix))
    path = request.path.removeprefix(prefix)
    if not all(is_module_name(part) and part.strip(".") for part in path.split("/")):
        raise ApiError("not_found")
    headers = {name: request.headers[name] for name in FORWARDED_HEADERS if name in request.headers}
    headers |= {"X-Correlation-Id": caller.correlation_id, "Via": FORWARDED}
    asked_by = delegation.NOBODY
    if principal is not None:
        delegated = Delegation.of(principal, caller.address)
        headers |= delegated.headers()
        asked_by = delegated.public_id
    method = "GET" if request.method == "HEAD" else request.method or ""
    return Question(method, path, request.META["QUERY_STRING"], headers, request.body, asked_by)
