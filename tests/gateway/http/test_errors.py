"""One error body, whatever goes wrong; what nobody foresaw says nothing but its correlation id."""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from gateway.filters import BadFilter
from gateway.http.errors import CONTENT_TYPE, REASONS, ApiError, api_error_for, send_api_error, server_error
from gateway.http.middleware import EdgeMiddleware
from gateway.shared_store.store import StoreUnavailable
from ledger.faults import LedgerUnavailable

SECRET = "vx11p_" + "s" * 43


def body_of(refusal: ApiError) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(refusal.body("c-1"))
    return body


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_has_the_same_body(reason: str) -> None:
    body = body_of(ApiError(reason))
    assert body.keys() == {"type", "title", "status", "detail", "reason", "correlation_id"}
    assert (body["status"], body["reason"], body["correlation_id"]) == (REASONS[reason][0], reason, "c-1")
    assert body["title"].endswith(".")
    assert body["detail"] == ("invalid_token" if reason == "main_auth_failed" else reason)


def test_fields_that_are_wrong_are_named_and_more_can_be_said() -> None:
    refusal = ApiError("validation_error", title="No.", errors={"summary": ["required"]}, extra={"oldest": "a-1"})
    body = body_of(refusal)
    assert (body["title"], body["errors"], body["oldest"]) == ("No.", {"summary": ["required"]}, "a-1")


@pytest.mark.parametrize(
    ("reason", "challenge"),
    [("missing_token", "Bearer"), ("main_auth_failed", 'Bearer error="invalid_token"')]
    + [("invalid_token", 'Bearer error="invalid_token"'), ("insufficient_scope", None)],
)
def test_who_is_not_known_is_told_how_to_come_back(reason: str, challenge: str | None) -> None:
    assert ApiError(reason).headers.get("WWW-Authenticate") == challenge


@pytest.mark.parametrize("reason", [reason for reason, (status, _) in REASONS.items() if status == 503])
def test_who_may_try_again_is_told_when(reason: str) -> None:
    assert int(ApiError(reason).headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ApiError("bad_cursor"), 400, "bad_cursor"),
        (LedgerUnavailable("x"), 503, "dependency_unavailable"),
        (StoreUnavailable("x"), 503, "dependency_unavailable"),
        (OperationalError("x"), 503, "dependency_unavailable"),
        (InterfaceError("x"), 503, "dependency_unavailable"),
        (BadFilter("severity", "x"), 422, "validation_error"),
        (Http404(), 404, "not_found"),
        (RequestDataTooBig(), 413, "payload_too_large"),
        (PermissionDenied(), 403, "insufficient_scope"),
        (SuspiciousOperation(), 400, "bad_request"),
        (BadRequest(), 400, "bad_request"),
        (ZeroDivisionError(), 500, "internal_error"),
    ],
)
def test_every_exception_has_its_answer(error: Exception, status: int, reason: str) -> None:
    refusal = api_error_for(error)
    assert (refusal.status, refusal.reason) == (status, reason)


async def edge(
    view: Any = None,
    path: str = "/operator/api/events",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> HttpResponseBase:
    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"body")

    name, _, query = path.partition("?")
    fields = {"host": "testserver", **{key.lower(): value for key, value in (headers or {}).items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": name,
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in fields.items()],
    }
    request = ASGIRequest(scope, BytesIO())
    return await EdgeMiddleware(view or answer)(request)


def problem(response: HttpResponseBase) -> tuple[int, str]:
    assert isinstance(response, HttpResponse)
    assert response["Content-Type"] == CONTENT_TYPE
    body = json.loads(response.content)
    assert body["correlation_id"] == response["X-Correlation-Id"]
    return response.status_code, body["reason"]


async def test_a_bug_says_its_correlation_id_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError(SECRET)

    response = await edge(broken, headers={"X-Correlation-Id": "c-9"})
    assert problem(response) == (500, "internal_error")
    assert isinstance(response, HttpResponse)
    assert SECRET.encode() not in response.content
    assert b"ZeroDivision" not in response.content
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/operator/api/events", {"Host": "evil.example.org"}, (400, "bad_request")),
        ("/operator/api/events?token=secret", {}, (400, "token_in_query")),
        ("/admin/?access_token=secret", {}, (400, "token_in_query")),
        ("/operator/api/events?a=%ff", {}, (400, "bad_request")),
    ],
)
async def test_the_edge_refuses_before_any_view_is_asked(
    ledger: None, path: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    async def never(request: HttpRequest) -> HttpResponse:
        raise AssertionError("the view was asked")

    assert problem(await edge(never, path, headers=headers)) == expected


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_probes_may_use_any_host_name(path: str) -> None:
    assert (await edge(path=path, headers={"Host": "10.0.0.7:8000"})).status_code == 200


async def test_every_answer_carries_its_correlation_id_and_what_keeps_browsers_safe() -> None:
    response = await edge(headers={"X-Correlation-Id": "c-9"})
    assert response["X-Correlation-Id"] == "c-9"
    assert response["Cache-Control"] == "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]


async def test_what_an_answer_says_itself_is_left_alone_and_static_files_may_be_kept() -> None:
    async def own(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Cache-Control": "max-age=60"})

    assert (await edge(own))["Cache-Control"] == "max-age=60"
    assert "Cache-Control" not in await edge(path="/static/x.js")


async def test_a_head_has_the_headers_of_its_get_and_no_body() -> None:
    response = await edge(method="HEAD")
    assert isinstance(response, HttpResponse)
    assert (response["Content-Length"], response.content) == ("4", b"")


@pytest.mark.parametrize(("head", "sent"), [(False, True), (True, False)])
async def test_a_refusal_without_django_is_the_same_one(head: bool, sent: bool) -> None:  # noqa: FBT001
    messages: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        messages.append(message)

    await send_api_error(send, ApiError("at_capacity"), "c-1", {"X-Correlation-Id": "c-1"}, head=head)
    start, body = messages
    fields = dict(start["headers"])
    assert (start["status"], fields[b"x-correlation-id"], fields[b"retry-after"]) == (503, b"c-1", b"2")
    assert fields[b"content-type"] == CONTENT_TYPE.encode()
    assert int(fields[b"content-length"]) == len(ApiError("at_capacity").body("c-1"))
    assert bool(body["body"]) == sent
    assert not body.get("more_body")


@pytest.mark.parametrize(("error", "status"), [(OperationalError("away"), 503), (KeyError("a mistake"), 500)])
def test_an_ordinary_view_without_its_database_is_503_and_with_a_mistake_500(error: Exception, status: int) -> None:
    try:
        raise error
    except type(error):
        # As Django does: while the error is being handled.
        answer = server_error(HttpRequest())
    assert answer.status_code == status
