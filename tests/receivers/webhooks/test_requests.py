"""From a request to one event: GitHub's events by themselves, and any JSON by expressions."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from events.log import NewEvent
from gateway.http.errors import ApiError
from receivers.webhooks.expressions import compiled
from receivers.webhooks.mapping import HEADERS_LIMIT, Hook, shown_headers
from receivers.webhooks.requests import read_delivery
from tests.receivers.samples import sender

JSON = "application/json"
Json = dict[str, Any]
REPOSITORY = {"name": "hello", "full_name": "octocat/hello"}
OCTOCAT = {"login": "octocat"}


def hook(way: str = "github", **expressions: str) -> Hook:
    return Hook("ci", way, "hook-1", expressions={name: compiled(text) for name, text in expressions.items()})


def event_of(
    body: object, name: str = "", *, by: Hook | None = None, content_type: str = JSON, **more: str
) -> NewEvent:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"x-github-event": name, **more} if name else more
    raw = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    received = read_delivery(content, content_type, raw, by or hook(), sender(any_module=True))
    [event] = received.events
    return event


PUSH: Json = {
    "ref": "refs/heads/main",
    "before": "0" * 40,
    "after": "a" * 40,
    "compare": "https://github.com/octocat/hello/compare/0...a",
    "commits": [{"id": "a"}, {"id": "b"}],
    "head_commit": {"message": "Mend the door\n\nIt was broken.", "timestamp": "2026-05-28T20:26:40+02:00"},
    "pusher": {"name": "octocat"},
}
RUN = {"name": "Tests", "run_number": 7, "head_branch": "main", "updated_at": "2026-05-28T20:26:40Z"}
ISSUE = {"number": 3, "title": "It is broken", "html_url": "https://github.com/octocat/hello/issues/3"}


@pytest.mark.parametrize(
    ("name", "body", "summary", "severity", "event_type"),
    [
        ("push", PUSH, "octocat pushed 2 commits to main: Mend the door", "info", "github.push"),
        ("push", PUSH | {"forced": True}, "octocat force-pushed 2 commits to main: Mend the door", "warn",
         "github.push"),
        ("push", PUSH | {"deleted": True, "head_commit": None}, "octocat deleted main", "info", "github.push"),
        ("ping", {"zen": "Keep it logically awesome."}, "the webhook is set up: Keep it logically awesome.", "info",
         "github.ping"),
        ("workflow_run", {"action": "completed", "workflow_run": RUN | {"conclusion": "failure"}},
         "workflow run Tests #7 on main: failure", "error", "github.workflow_run.completed"),
        ("workflow_run", {"action": "completed", "workflow_run": RUN | {"conclusion": "success"}},
         "workflow run Tests #7 on main: success", "info", "github.workflow_run.completed"),
        ("workflow_run", {"action": "completed", "workflow_run": RUN | {"conclusion": "cancelled"}},
         "workflow run Tests #7 on main: cancelled", "warn", "github.workflow_run.completed"),
        ("workflow_run", {"action": "requested", "workflow_run": RUN | {"conclusion": None, "status": "queued"}},
         "workflow run Tests #7 on main: queued", "info", "github.workflow_run.requested"),
        ("issues", {"action": "opened", "issue": ISSUE}, "octocat opened issue #3: It is broken", "info",
         "github.issues.opened"),
        ("issue_comment", {"action": "created", "issue": ISSUE}, "octocat commented on issue #3: It is broken", "info",
         "github.issue_comment.created"),
        ("pull_request", {"action": "closed", "pull_request": ISSUE | {"merged": True}},
         "octocat merged pull request #3: It is broken", "info", "github.pull_request.closed"),
        ("pull_request_review", {"action": "submitted", "pull_request": ISSUE, "review": {"state": "approved"}},
         "octocat reviewed pull request #3 (approved): It is broken", "info", "github.pull_request_review.submitted"),
        ("deployment_status",
         {"action": "created", "deployment": {"environment": "live"}, "deployment_status": {"state": "failure"}},
         "deployment to live: failure", "error", "github.deployment_status.created"),
        ("status", {"context": "ci/x", "state": "error", "description": "No luck"}, "ci/x: error, No luck", "error",
         "github.status"),
        ("create", {"ref": "v1", "ref_type": "tag"}, "octocat created tag v1", "info", "github.create"),
        ("dependabot_alert",
         {"action": "created", "alert": {"number": 2, "security_advisory": {"severity": "critical", "summary": "Bad"}}},
         "dependabot alert #2 created: Bad", "critical", "github.dependabot_alert.created"),
        ("secret_scanning_alert", {"action": "created", "alert": {"number": 2}}, "secret scanning alert #2 created",
         "error", "github.secret_scanning_alert.created"),
        ("release", {"action": "published", "release": {"name": "One"}}, "release published: One", "info",
         "github.release.published"),
        ("star", {"action": "created"}, "star created", "info", "github.star.created"),
    ],
)  # fmt: skip
def test_events_of_github_say_what_happened(
    name: str, body: Json, summary: str, severity: str, event_type: str
) -> None:
    event = event_of(body | {"repository": REPOSITORY, "sender": OCTOCAT}, name)
    assert (event.summary, event.severity) == (f"octocat/hello: {summary}", severity)
    assert (event.event_type, event.module) == (event_type, "hello")
    payload = json.loads(event.payload)
    assert (payload["event"], payload["repository"], payload["sender"]) == (name, "octocat/hello", "octocat")


def test_of_a_push_the_time_and_what_leads_to_it_are_kept() -> None:
    event = event_of(PUSH | {"repository": REPOSITORY}, "push")
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-05-28T18:26:40+00:00"
    assert json.loads(event.payload)["url"] == PUSH["compare"]
    assert "commits" not in json.loads(event.payload)


@pytest.mark.parametrize("name", ["push", "workflow_run", "issues", "dependabot_alert", "status", "ping", "x" * 500])
@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [[]], {"name": {"name": 1}}, "\0\x1b[31m\ud800"[:-1]])
def test_values_of_other_types_than_those_of_github_are_left_out(name: str, value: object) -> None:
    fields = (
        "repository",
        "sender",
        "ref",
        "commits",
        "head_commit",
        "pusher",
        "workflow_run",
        "issue",
        "alert",
        "action",
    )
    event = event_of(dict.fromkeys(fields, value), name)
    assert event.summary
    assert "\0" not in event.summary + event.payload


@pytest.mark.parametrize("number", ["9", 2**70, -1.5, {"a": 1}, [["x" * 90_000]], "x" * 90_000])
def test_a_number_that_is_none_is_left_out(number: object) -> None:
    event = event_of({"action": "opened", "issue": {"number": number, "title": "A title"}, "sender": OCTOCAT}, "issues")
    assert event.summary == "octocat opened issue #: A title"
    assert len(event.payload) < 200


def test_a_form_holds_the_same_json() -> None:
    form = urlencode({"payload": json.dumps(PUSH)}).encode()
    assert event_of(form, "push", content_type="application/x-www-form-urlencoded").summary.startswith("octocat pushed")
    for broken in (b"", b"x=1", b"payload=1&payload=2", b"payload=%FF", form + b"&x=1", b"payload"):
        with pytest.raises(ApiError) as refused:
            event_of(broken, "push", content_type="application/x-www-form-urlencoded")
        assert refused.value.status == 400


def test_a_delivery_that_is_tried_again_has_the_same_id() -> None:
    first, again, other = (event_of(PUSH, "push", x_github_delivery=name) for name in ("d-1", "d-1", "d-2"))
    assert first.event_id == again.event_id != other.event_id
    assert first.event_id.startswith("hook-")
    assert first.fingerprint == again.fingerprint
    # Without a name, each is an event of its own.
    assert event_of(PUSH, "push").fingerprint == ""


def test_expressions_make_the_event() -> None:
    by = hook(
        "standard",
        summary="join(' ', [body.who, body.what])",
        severity="body.level",
        module="body.app",
        event_type="body.kind",
        occurred_at="body.at",
        event_id="body.no",
        payload='{first: body.items[0], agent: headers."user-agent"}',
    )
    body = {"who": "Ana", "what": "left", "level": "WARNING", "app": "door", "kind": "Person Left", "at": 1_780_000_000}
    event = event_of(body | {"no": 7, "items": [{"a": 1}]}, by=by, user_agent="test")
    assert (event.summary, event.severity, event.module) == ("Ana left", "warn", "door")
    assert event.event_type == "person-left"
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-05-28T20:26:40+00:00"
    assert json.loads(event.payload) == {"first": {"a": 1}, "agent": "test"}


def test_without_expressions_a_body_is_read_as_the_line_of_a_log_is_and_chooses_nothing() -> None:
    body = {
        "event_type": "chosen",
        "summary": "the door is open",
        "event_id": "chosen",
        "level": "error",
        "price": 0.10,
    }
    event = event_of(body, by=hook("token"))
    assert (event.summary, event.severity, event.event_type) == ("the door is open", "error", "webhook.ci")
    assert event.event_id != "chosen"
    assert event_of(b'{"price": 0.10}', by=hook("token")).payload == '{"price":0.10}'
    assert event_of([1, 2], by=hook("token")).payload == '{"body":[1,2]}'


def test_types_of_the_server_are_not_for_senders() -> None:
    assert event_of({"t": "window.opened"}, by=hook("token", event_type="body.t")).event_type == "ext.window.opened"
    assert event_of({"t": "heartbeat"}, by=hook("token", event_type="body.t")).event_type == "ext.heartbeat"


@pytest.mark.parametrize(
    ("field", "value"),
    [("summary", {}), ("summary", "  "), ("summary", True), ("severity", "loud"), ("severity", [1]), ("module", [1])]
    + [("occurred_at", "soon"), ("occurred_at", True), ("occurred_at", {}), ("event_id", [1]), ("payload", [1])],
)
def test_a_result_that_is_none_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    with pytest.raises(ApiError) as refused:
        event_of({"v": value}, by=hook("token", **{field: "body.v"}))
    assert (refused.value.status, list(refused.value.errors or {})) == (422, [field])


def test_what_takes_too_long_is_refused_by_the_name_of_its_field() -> None:
    body = {"items": [[n] for n in range(30_000)]}
    with pytest.raises(ApiError) as refused:
        event_of(
            body,
            by=hook("token", summary="to_string(body.items[0][0])", payload="{a: body.items[*][*].[@,@]}"),
        )
    assert (refused.value.status, list(refused.value.errors or {})) == (413, ["payload"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"a": NaN}', 400),
        (b'{"a": 1, "a": 2}', 400),
        (b'{"a": "\xff"}', 400),
        (b'{"a": "\\ud800"}', 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b"[" + b"{}," * 120_000 + b"{}]", 413),
        (json.dumps({"a": "x" * 100_000}).encode(), 201),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(body: bytes, status: int) -> None:
    if status == 201:
        # What does not fit into an event is cut, as with any log line.
        assert len(event_of(body, by=hook("token")).payload) < 64 * 1024
        return
    with pytest.raises(ApiError) as refused:
        event_of(body, by=hook("token"))
    assert refused.value.status == status


def test_what_proves_who_sent_is_not_for_expressions() -> None:
    proofs = [b"x-hub-signature-256", b"webhook-signature", b"x-gitlab-token", b"authorization", b"cookie"]
    secret = [(name, b"geheim") for name in (*proofs, b"x-vx11-token", b"x-real-ip")]
    assert shown_headers([*secret, (b"X-GitHub-Event", b"push")]) == {"x-github-event": "push"}
    many = [(f"x-github-{number}".encode(), b"x" * 5_000) for number in range(1_000)]
    assert len(shown_headers(many)) == HEADERS_LIMIT
    assert len(shown_headers(many)["x-github-1"]) == 1_000
