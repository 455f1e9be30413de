"""What an answer must look like."""

from collections.abc import Mapping
from typing import Any, Protocol

PROBLEM_FIELDS = {"type", "title", "status", "detail", "reason", "correlation_id"}
EVENT_FIELDS = {
    "type",
    "event_id",
    "seq",
    "event_type",
    "summary",
    "module",
    "severity",
    "correlation_id",
    "payload",
    "created_at",
    "occurred_at",
}


class Answer(Protocol):
    """httpx2.Response, as far as it matters here."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def json(self) -> Any: ...


def assert_problem(answer: Answer, status: int, reason: str, *, detail: str | None = None) -> dict[str, Any]:
    """The one error body, with this reason; `detail` is the same unless it is given. Gives the body."""
    assert answer.status_code == status, f"{answer.status_code} {getattr(answer, 'text', '')}"
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    body = answer.json()
    wanted = PROBLEM_FIELDS | ({"errors"} if status == 422 else set())
    assert wanted <= body.keys(), f"{wanted - body.keys()} missing in {body}"
    assert (body["status"], body["reason"], body["detail"]) == (status, reason, detail or reason)
    assert body["title"].strip()
    assert body["correlation_id"] == answer.headers["x-correlation-id"]
    return dict(body)
