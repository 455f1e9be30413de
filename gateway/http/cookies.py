"""Requests with a cookie: which resources of the process they may use depends on whether it names a session.

Django's own handler gives each request a thread, and each thread opens database connections of its own. Here a page
gets a place in the lane of people, or a 503; a request to the API needs no place, it only loads its user.
"""

import asyncio
import contextvars
import functools
from collections.abc import Awaitable
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase

from gateway.addresses import address_group
from gateway.http import headers
from gateway.http.asgi import Receive, Scope, Send
from gateway.http.bodies import replay
from gateway.http.errors import api_error_for, send_api_error
from gateway.http.middleware import EdgeMiddleware, GetResponse, headers_for
from gateway.http.proxy_sign_in import person_in
from gateway.http.rest import SAFE_METHODS, LeanHandler, never, whole_body
from gateway.identity import proxy_users
from gateway.identity.console_sessions import row_key
from gateway.identity.known_sessions import known_sessions, session_key_of
from gateway.identity.session_store import SessionStore
from ledger.faults import LedgerUnavailable
from ledger.lanes import Place
from ledger.reader import people

# Of the request that is served in this context.
_place: contextvars.ContextVar[Place] = contextvars.ContextVar("place")


class OrdinaryHandler(ASGIHandler):
    """Django's own handler, with a body limit and in a thread of the lane of people: for pages, CSRF and the admin."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(scope, receive, send)
        if body is None:
            return
        try:
            key = await _known_key(scope)
            placing = people.place(row_key(key) if key else _address_group(scope), guest=not key)
            place = await placing.__aenter__()
        except LedgerUnavailable as error:
            await _refuse(scope, send, error)
            return
        try:
            async with ThreadSensitiveContext(executor=place.executor):
                _place.set(place)
                # Django cancels a view when the client disconnects. A request with side effects runs to its end: half
                # of it, such as a question that is stored and never sent, is worse than a response without a reader.
                leaves = receive if scope["method"] in SAFE_METHODS else never
                await self.handle(scope, replay(body, leaves), send)
        finally:
            place.release()

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """As Django's. When a request is cancelled, for instance because its process ends, this task remains; a client
        that disconnects after that must not be logged as the error of a task without a listener.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - Django runs this as a task
        task.add_done_callback(_retrieve_exception)
        await super().listen_for_disconnect(receive)

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        # The response is complete by now: a client that reads it slowly must not hold a place.
        if (place := _place.get(None)) is not None:
            place.release()
        await super().send_response(response, send)


def _retrieve_exception(task: "asyncio.Task[None]") -> None:
    """asyncio logs an exception that was never retrieved."""
    if not task.cancelled():
        task.exception()


class SessionHandler(LeanHandler):
    """The API by cookie: the lean handler, with session and user. CSRF is checked where the user is needed."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        super().load_middleware(is_async)
        self._middleware_chain = EdgeMiddleware(_with_user(self._view))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope["session_key"] = await _known_key(scope)
        except LedgerUnavailable as error:
            await _refuse(scope, send, error)
            return
        await super().__call__(scope, receive, send)


def _with_user(get_response: GetResponse) -> GetResponse:
    async def answer(request: HttpRequest) -> HttpResponseBase:
        key: str = request.scope["session_key"]  # type: ignore[attr-defined]  # an ASGIRequest has it
        if key:
            request.session = SessionStore(key)
            request.auser = functools.partial(_user_of, request)
        return await get_response(request)

    return answer


async def _user_of(request: HttpRequest) -> Any:
    """As Django's own, read once for each request. Raises LedgerUnavailable."""
    user = getattr(request, "_acached_user", None)
    if user is None:
        user = await people.run_for(row_key(request.session.session_key), _session_user, request)
        # The middleware reads this attribute too.
        request._acached_user = user  # type: ignore[attr-defined]
    return user


def _session_user(request: HttpRequest) -> Any:
    return proxy_users.confirmed(request.session, get_user(request), person_in(request))


async def _known_key(scope: Scope) -> str:
    """The key of the session that the cookie names, "" if there is none. Raises LedgerUnavailable."""
    key = session_key_of(scope["headers"])
    return key if key and await known_sessions.has(key) else ""


def _address_group(scope: Scope) -> str:
    peer = (scope.get("client") or ("",))[0]
    return address_group(headers.client_address(peer, scope["headers"], settings.TRUSTED_PROXIES))


def _refuse(scope: Scope, send: Send, error: LedgerUnavailable) -> Awaitable[Any]:
    correlation_id = headers.correlation_id(scope["headers"])
    common = headers_for(scope["path"], scope["method"], scope["headers"])
    fields = {"X-Correlation-Id": correlation_id, **common}
    return send_api_error(send, api_error_for(error), correlation_id, fields, head=scope["method"] == "HEAD")
