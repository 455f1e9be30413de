"""Refusals in the forms of foreign protocols: OpenTelemetry's Status, and Loki's plain text. Pure: no I/O."""

import orjson

from gateway.http.errors import ApiError, Written, refuse_in_form
from receivers.otlp import JSON_TYPE, PROTOBUF_TYPE
from receivers.protobuf_messages import Status

TEXT_TYPE = "text/plain; charset=utf-8"
# google.rpc.Code, by status of HTTP.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 6, 413: 8, 415: 3, 429: 8, 503: 14}
INTERNAL = 13
# For OpenTelemetry and Loki, 400 is what is wrong with a request for good.
_STATUSES = {422: 400}
PREFIXES = ("/operator/api/", "/operator/api/v1/")


def register() -> None:
    """Also for refusals that come before any view: a body that is too large, a server that is full."""
    for prefix in PREFIXES:
        refuse_in_form(f"{prefix}ingest/otlp/v1/logs", as_status)
        refuse_in_form(f"{prefix}ingest/loki/api/v1/push", as_text)


def as_status(refusal: ApiError, correlation_id: str, content_type: str) -> Written:
    """OTLP/HTTP: a Status in the encoding of the request; JSON where that is neither."""
    status = _STATUSES.get(refusal.status, refusal.status)
    code, message = _CODES.get(status, INTERNAL), _sentence(refusal, correlation_id)
    if content_type.partition(";")[0].strip().lower() == PROTOBUF_TYPE:
        return Written(status, PROTOBUF_TYPE, Status(code=code, message=message).SerializeToString())
    return Written(status, JSON_TYPE, orjson.dumps({"code": code, "message": message}))


def as_text(refusal: ApiError, correlation_id: str, content_type: str) -> Written:
    """Loki: a line of text, which its senders write into their logs."""
    body = f"{_sentence(refusal, correlation_id)}\n".encode()
    return Written(_STATUSES.get(refusal.status, refusal.status), TEXT_TYPE, body)


def _sentence(refusal: ApiError, correlation_id: str) -> str:
    """What a person needs who reads it in the log of a sender."""
    problems = "; ".join(f"{field}: {', '.join(map(str, found))}" for field, found in (refusal.errors or {}).items())
    details = f" {problems}." if problems else ""
    return f"{refusal.title}{details} ({refusal.reason}, correlation id {correlation_id})"
