"""DRF's views on the event loop: an APIView whose handlers are coroutines, and the lean handler that serves them.

Django's ordinary handler spends two tasks, several thread hops and a dozen signals on a request; a request
with a token needs none of them. Same view classes, same URLs, a fourth of the time.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any, ClassVar, NoReturn
from urllib.parse import unquote_to_bytes

import orjson
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import ResolverMatch, get_resolver, set_script_prefix
from rest_framework.views import APIView

from gateway.http import headers
from gateway.http.asgi import Receive, Scope, Send, while_there
from gateway.http.authentication import Caller, caller_of, note_refusal, refused_credential, require, with_header
from gateway.http.bodies import BodyAborted, BodyTooLarge, body_limit_bytes, read_body
from gateway.http.errors import ApiError, api_error_for, correlation_id_of, respond, send_api_error, written
from gateway.http.middleware import EdgeMiddleware, GetResponse, headers_for
from gateway.identity.principals import InvalidCredential, Principal, directory

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Rights that change during each of so many reads are not changed by a person: give up.
SHOWING_TRIES = 3


def answer(data: Any, status: int = 200) -> HttpResponse:
    """A JSON response that is rendered at once: one that renders later would cost a thread hop."""
    return HttpResponse(orjson.dumps(data), status=status, content_type="application/json")


class Endpoint(APIView):
    """A DRF view with coroutine handlers. `scopes` maps methods to the scope they need; None needs none.

    `kinds` are the kinds of principal that may call at all; `public` endpoints ignore credentials, and those that
    `may_be_public` do so where VX11_PUBLIC_ENTRY_POINTS names their path.
    """

    scopes: ClassVar[dict[str, str | None]] = {}
    kinds: ClassVar[frozenset[str]] = frozenset({"principal", "session"})
    public: ClassVar[bool] = False
    may_be_public: ClassVar[bool] = False
    authentication_classes = ()
    permission_classes = ()

    # Set by dispatch() before a handler runs.
    principal: Principal = None  # type: ignore[assignment]  # handlers run when it is there

    async def dispatch(  # type: ignore[override]  # DRF's is synchronous; as_view() takes either
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        self.args, self.kwargs, self.headers = args, kwargs, {}
        self.caller = caller_of(request)
        try:
            handler = self._handler_of(request.method or "")
            # DRF's Request would parse and authenticate a second time; handlers get Django's.
            handle = functools.partial(handler, request, *args, **kwargs)
            # A browser's preflight brings no credential.
            if self.is_public(request.path, request.method or "") or request.method == "OPTIONS":
                return await handle()
            await self._admit(request)
            response = await (self._shown(request, handle) if request.method in SAFE_METHODS else handle())
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes the one error body
            note_refusal(error, self.caller, principal_id=self.principal.public_id if self.principal else "")
            return self.refused(request, api_error_for(error))
        return response

    def refused(self, request: HttpRequest, refusal: ApiError) -> HttpResponse:
        """The response to a request that is refused."""
        return respond(refusal, correlation_id_of(request), request)

    @classmethod
    def is_public(cls, path: str, method: str) -> bool:
        """Whether this address ignores credentials."""
        named = cls.may_be_public and path in settings.PUBLIC_ENTRY_POINTS
        return cls.public or (named and method in SAFE_METHODS)

    async def options(  # type: ignore[override]  # as above
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return HttpResponse(status=204, headers={"Allow": self._allow()})

    async def _admit(self, request: HttpRequest) -> None:
        self.principal = await self._identify(request)
        if self.principal.kind not in self.kinds:
            raise ApiError("insufficient_scope", title=f"A {self.principal.kind} token may not do this.")
        method = "GET" if request.method == "HEAD" else request.method or ""
        require(self.principal, self.scopes.get(method))

    async def _shown(self, request: HttpRequest, handle: Callable[[], Awaitable[HttpResponseBase]]) -> HttpResponseBase:
        """The response, read again if the caller's rights changed during the read, so that it fits the current rights.

        Raises ApiError, LedgerUnavailable.
        """
        for _ in range(SHOWING_TRIES):
            response = await handle()
            before = self.principal
            await self._admit(request)
            if self.principal.generation != before.generation:
                refused = InvalidCredential("password changed", before.public_id)
                raise await refused_credential("main_auth_failed", refused, self.caller)
            if (self.principal.selection, self.principal.scopes) == (before.selection, before.scopes):
                # The middleware checks this time again when the response leaves.
                response.good_until = directory.good_until  # type: ignore[attr-defined]  # our own attribute
                return response
        raise ApiError("dependency_unavailable")

    async def _identify(self, request: HttpRequest) -> Principal:
        return await principal_of(request, self.caller)

    def _handler_of(self, method: str) -> Callable[..., Awaitable[HttpResponseBase]]:
        name = "get" if method == "HEAD" else method.lower()
        if name not in self.http_method_names or not hasattr(self, name):
            raise ApiError("method_not_allowed", headers={"Allow": self._allow()})
        handler: Callable[..., Awaitable[HttpResponseBase]] = getattr(self, name)
        return handler

    def _allow(self) -> str:
        allowed = [name.upper() for name in self.http_method_names if hasattr(self, name) and name != "head"]
        return ", ".join(allowed + ["HEAD"] * ("GET" in allowed))


async def principal_of(request: HttpRequest, caller: Caller) -> Principal:
    """Who calls: by token header, else by the console's session. Raises ApiError, LedgerUnavailable."""
    raw = request.scope["headers"] if isinstance(request, ASGIRequest) else ()
    principal = await with_header(raw, caller)
    if principal is not None:
        return principal
    user = await request.auser() if hasattr(request, "auser") else None
    if user is None or not user.is_authenticated:
        raise ApiError("missing_token")
    if request.method not in SAFE_METHODS:
        check_csrf(request)
    try:
        return await directory.user_in_session(user, request.session.session_key)
    except InvalidCredential as refused:
        raise await refused_credential("main_auth_failed", refused, caller) from None


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> str:  # as DRF's CSRFCheck does
        return reason


def check_csrf(request: HttpRequest) -> None:
    """Raises ApiError without a CSRF token: browsers send the cookie with the form of any site."""
    check = _CsrfCheck(lambda request: HttpResponse())
    check.process_request(request)
    if check.process_view(request, lambda request: HttpResponse(), (), {}):
        raise ApiError("csrf_failed")


async def whole_body(scope: Scope, receive: Receive, send: Send) -> bytes | None:
    """The request's body; None if the client has gone, or if the body was too large and that has been answered."""
    try:
        return await read_body(scope, receive, limit_bytes=body_limit_bytes(scope["path"]))
    except BodyAborted:
        return None
    except BodyTooLarge:
        correlation_id = headers.correlation_id(scope["headers"])
        common = headers_for(scope["path"], scope["method"], scope["headers"])
        fields = {"X-Correlation-Id": correlation_id, **common, "Connection": "close"}
        refusal, kind = ApiError("payload_too_large"), headers.content_type(scope["headers"])
        method, path = scope["method"], scope["path"]
        sent = written(refusal, correlation_id, method=method, path=path, content_type=kind)
        await send_api_error(send, refusal, correlation_id, fields, sent=sent)
        return None


class LeanHandler(ASGIHandler):
    """For requests that need none of Django's pages: one middleware, no signals, threads or watch for disconnects."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._view: GetResponse = convert_exception_to_response(self._get_response_async)  # type: ignore[attr-defined, assignment]  # private in Django, not in its stubs
        self._middleware_chain = EdgeMiddleware(self._view)

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        request.resolver_match = _view_of(request.path_info)
        return request.resolver_match

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(scope, receive, send)
        if body is None:
            return
        set_script_prefix("/")
        request, refusal = self.create_request(scope, BytesIO(body))
        if request is None:
            assert refusal is not None  # noqa: S101 - create_request() gives one or the other
            await self.send_response(refusal, send)
            return
        answering = self._middleware_chain(request)
        # A long poll ends when its client disconnects, because it holds one of a limited number of places.
        response = await (while_there(answering, receive) if _may_wait(scope) else answering)
        if response is not None:
            sending = self.send_response(response, send)
            # What is made while it is sent is made no longer than its client reads.
            await (while_there(sending, receive) if response.streaming else sending)


async def never() -> NoReturn:
    """The receive() of a client that never disconnects."""
    while True:
        await asyncio.Future()


def _may_wait(scope: Scope) -> bool:
    """Whether it is a long poll; the parameter's name may be percent-encoded, as in `wai%74`."""
    return scope["method"] in SAFE_METHODS and b"wait" in unquote_to_bytes(scope["query_string"])


@functools.lru_cache(maxsize=256)
def _view_of(path: str) -> ResolverMatch:
    """Django's resolver with a cache: there are few paths. Raises Resolver404."""
    return get_resolver().resolve(path)
