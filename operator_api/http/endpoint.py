"""The base class of the views here: in one process, or in a backend behind a gateway (docs/roles.md).

All roles have the same views, so the same code checks methods, kinds of caller and scopes in both.
The first request starts the background tasks of the process, so that they run under any ASGI server.
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
from operator_api.background_tasks import the_background_tasks
from operator_api.modules import BACKEND, OFF_BY_POLICY
from operator_api.windows import WindowActor

Made = TypeVar("Made")

# Any valid credential may read.
ALL_KINDS = frozenset({"principal", "session", "service"})
# For extend_schema: the one refusal that has another body than all others.
BY_POLICY: dict[Any, Json] = {(403, "application/json"): component("OffByPolicy")}


# The prefixes of these endpoints at a gateway, the longest first; a backend has them under /api/ only.
PREFIXES = ("/operator/api/v1/", "/operator/api/")
# The request headers that these endpoints read, besides those that the gateway itself reads.
FORWARDED_HEADERS = ("Content-Type", "Content-Encoding", "Idempotency-Key")
# Marks a request that a gateway has forwarded. Without it, a VX11_BACKEND_URL that points to a gateway would send a
# request round in a loop until its time limit.
FORWARDED = "1.1 vx11-gateway"


class OperatorEndpoint(Endpoint):
    # At a backend, once the gateway's own token is accepted: the operator for whom the gateway asks.
    _answers = ""

    async def dispatch(  # type: ignore[override]  # as in Endpoint
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        the_background_tasks().start()
        response = await super().dispatch(request, *args, **kwargs)
        if self._answers:
            response.headers[delegation.OPERATOR] = self._answers
        return response

    async def without_backend(self) -> HttpResponse:
        """The response of a gateway while its backend is away. Raises ApiError."""
        raise ApiError("backend_unavailable")

    def _handler_of(self, method: str) -> Callable[..., Awaitable[HttpResponseBase]]:
        handler = super()._handler_of(method)
        return self._forward if settings.ROLE == "gateway" and method != "OPTIONS" else handler

    async def _forward(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The backend's response. The caller's rights were checked here; the backend checks them again."""
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
        self._answers = delegation.NO_OPERATOR if delegated is None else delegated.public_id
        return service if delegated is None else await self._operator(delegated)

    async def _operator(self, delegated: Delegation) -> Principal:
        """The operator for whom the gateway asks, with the rights that both of them know. Raises ApiError,
        LedgerUnavailable.
        """
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
        """Charge the caller's rate of changes: each one is a write under the lock of the log's head. Raises
        LimitExceeded.

        Closing a window is not counted: it must never have to wait, and only a window that was opened can be closed.
        """
        await limiter.spend("changes", self.principal.public_id)

    async def read(self, request: HttpRequest, make: Callable[[dict[str, Any]], Made]) -> Made:
        """The result of `make` for the body's JSON object; charge the rate before. Raises ApiError."""
        return await read_json(request, make, who=self.principal.public_id)

    def off_by_policy(self) -> HttpResponse:
        """The response when no window is open. Existing front ends expect `status` to be a text here, so it is the one
        error with a body of its own.
        """
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
    """The request for the backend, with only those parts that these endpoints read.

    Raises ApiError for a path that could be interpreted as another one.
    """
    prefix = next(prefix for prefix in PREFIXES if request.path.startswith(prefix))
    path = request.path.removeprefix(prefix)
    if not all(is_module_name(part) and part.strip(".") for part in path.split("/")):
        raise ApiError("not_found")
    headers = {name: request.headers[name] for name in FORWARDED_HEADERS if name in request.headers}
    headers |= {"X-Correlation-Id": caller.correlation_id, "Via": FORWARDED}
    asked_by = delegation.NO_OPERATOR
    if principal is not None:
        delegated = Delegation.of(principal, caller.address)
        headers |= delegated.headers()
        asked_by = delegated.public_id
    method = "GET" if request.method == "HEAD" else request.method or ""
    return Question(method, path, request.META["QUERY_STRING"], headers, request.body, asked_by)
