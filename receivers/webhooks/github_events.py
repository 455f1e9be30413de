"""GitHub's events without any expression: what a person needs to know of each, in one sentence. Pure: no I/O.

Events that are not named here get a sentence made of their name, action and title. Every value is the sender's: what is
of another type than GitHub sends is left out.
"""

from collections.abc import Callable
from typing import Any

from vx11_client.lines.moments import Clock
from vx11_client.lines.plain_text import one_line
from vx11_client.lines.time_forms import moment_of_text

Fields = dict[str, Any]

HEADER = "x-github-event"
SUBJECT_CHARACTERS = 200
# Conclusions of workflows and checks, and states of deployments and commits.
SEVERITY_OF_RESULT = {
    **dict.fromkeys(("failure", "error", "timed_out", "startup_failure"), "error"),
    **dict.fromkeys(("cancelled", "action_required", "stale"), "warn"),
}
SEVERITY_OF_ALERT = {"critical": "critical", "high": "error", "error": "error", "medium": "warn", "moderate": "warn"}
ALERTS = ("dependabot_alert", "code_scanning_alert", "secret_scanning_alert", "repository_vulnerability_alert")
# Where an event keeps what it is about, beside its own name.
_SUBJECTS = {
    "issues": "issue",
    "issue_comment": "issue",
    "pull_request_review": "pull_request",
    "pull_request_review_comment": "pull_request",
    **dict.fromkeys(ALERTS, "alert"),
}
_TITLES = ("title", "name", "full_name", "login", "ref", "tag_name")
_TIMES = ("updated_at", "completed_at", "created_at", "closed_at", "submitted_at", "published_at")


def event_of(name: str, body: Fields) -> Fields:
    """Summary, severity, type, payload and, where GitHub says it, the time of an event called `name`."""
    about = _object(body.get(_SUBJECTS.get(name, name)))
    describe = _SENTENCES.get(name, _other)
    repository = _text(_object(body.get("repository")).get("full_name"))
    sentence = describe(name, body, about)
    action = _text(body.get("action"))
    payload: Fields = {
        "event": name,
        "action": action,
        "repository": repository,
        "sender": _text(_object(body.get("sender")).get("login")),
        "ref": _text(body.get("ref")),
        "before": _text(body.get("before")),
        "after": _text(body.get("after")),
        "number": _number(about),
        "url": _text(about.get("html_url")) or _text(body.get("compare")) or _text(about.get("target_url")),
        "result": _result(name, body, about),
        "branch": _text(about.get("head_branch")),
        "commit": _text(about.get("head_sha")) or _text(body.get("sha")),
    }
    found: Fields = {
        "summary": f"{repository}: {sentence}" if repository else sentence,
        "severity": _severity(name, body, about),
        # The name of an event and its action are short words; the caller makes a type of them.
        "event_type": f"github.{name}.{action}" if action else f"github.{name}",
        "payload": {key: value for key, value in payload.items() if value not in ("", None)},
    }
    times = (about.get(key) for key in _TIMES)
    head = _object(body.get("head_commit"))
    moment = next((m for text in (*times, head.get("timestamp")) if (m := moment_of_text(_text(text), Clock()))), None)
    return found | ({"occurred_at": moment.isoformat()} if moment else {})


def _severity(name: str, body: Fields, about: Fields) -> str:
    if name in ALERTS:
        if _text(body.get("action")) in ("fixed", "dismissed", "resolved", "auto_dismissed", "closed_by_user"):
            return "info"
        advisory, rule = _object(about.get("security_advisory")), _object(about.get("rule"))
        level = (
            _text(advisory.get("severity"))
            or _text(rule.get("security_severity_level"))
            or _text(about.get("severity"))
        )
        return SEVERITY_OF_ALERT.get(level, "error" if name == "secret_scanning_alert" else "warn")
    if name == "push" and body.get("forced") is True:
        return "warn"
    return SEVERITY_OF_RESULT.get(_result(name, body, about), "info")


def _result(name: str, body: Fields, about: Fields) -> str:
    """How it ended, of what ends: a conclusion, or a state that is a result."""
    if conclusion := _text(about.get("conclusion")):
        return conclusion
    if name == "deployment_status":
        return _text(_object(body.get("deployment_status")).get("state"))
    return _text(body.get("state")) if name == "status" else ""


def _push(name: str, body: Fields, about: Fields) -> str:
    who = _text(_object(body.get("pusher")).get("name")) or _text(_object(body.get("sender")).get("login"))
    branch = _text(body.get("ref")).removeprefix("refs/heads/").removeprefix("refs/tags/")
    if body.get("deleted") is True:
        return f"{who} deleted {branch}"
    commits = body.get("commits")
    count = len(commits) if isinstance(commits, list) else 0
    message = _first_line(_object(body.get("head_commit")).get("message"))
    verb = "force-pushed" if body.get("forced") is True else "pushed"
    commits_text = "1 commit" if count == 1 else f"{count} commits"
    return f"{who} {verb} {commits_text} to {branch}" + (f": {message}" if message else "")


def _run(name: str, body: Fields, about: Fields) -> str:
    """Workflows, their jobs, and checks: what ran, on which branch, and how it ended."""
    what = _first_line(about.get("name")) or _first_line(_object(about.get("app")).get("name")) or name
    branch = _text(about.get("head_branch"))
    number = about.get("run_number")
    named = f"{what} #{number}" if isinstance(number, int) and 0 < number < 2**63 else what
    ended = _text(about.get("conclusion")) or _text(about.get("status")) or _text(body.get("action"))
    return f"{name.replace('_', ' ')} {named}" + (f" on {branch}" if branch else "") + f": {ended}"


def _numbered(name: str, body: Fields, about: Fields) -> str:
    """Issues and pull requests, their comments and reviews."""
    kind = "pull request" if name.startswith("pull_request") or "pull_request" in about else "issue"
    number, title = _number(about), _first_line(about.get("title"))
    who, action = _text(_object(body.get("sender")).get("login")), _text(body.get("action"))
    if name == "pull_request" and action == "closed" and about.get("merged") is True:
        action = "merged"
    if name == "pull_request_review":
        state = _text(_object(body.get("review")).get("state")) or action
        return f"{who} reviewed pull request #{number} ({state}): {title}"
    if name in ("issue_comment", "pull_request_review_comment"):
        verb = "commented on" if action == "created" else f"{action} a comment on"
        return f"{who} {verb} {kind} #{number}: {title}"
    return f"{who} {action} {kind} #{number}: {title}"


def _ping(name: str, body: Fields, about: Fields) -> str:
    return f"the webhook is set up: {_first_line(body.get('zen'))}"


def _deployment(name: str, body: Fields, about: Fields) -> str:
    environment = _text(_object(body.get("deployment")).get("environment"))
    return f"deployment to {environment}: {_result(name, body, about) or _text(body.get('action')) or 'created'}"


def _status(name: str, body: Fields, about: Fields) -> str:
    return f"{_text(body.get('context'))}: {_text(body.get('state'))}, {_first_line(body.get('description'))}"


def _ref(name: str, body: Fields, about: Fields) -> str:
    who = _text(_object(body.get("sender")).get("login"))
    verb = "created" if name == "create" else "deleted"
    return f"{who} {verb} {_text(body.get('ref_type'))} {_text(body.get('ref'))}"


def _alert(name: str, body: Fields, about: Fields) -> str:
    advisory, rule = _object(about.get("security_advisory")), _object(about.get("rule"))
    titles = (advisory.get("summary"), rule.get("description"), about.get("secret_type_display_name"))
    title = next(filter(None, map(_first_line, titles)), "")
    text = f"{name.replace('_', ' ')} #{_number(about)} {_text(body.get('action'))}"
    return f"{text}: {title}" if title else text


def _other(name: str, body: Fields, about: Fields) -> str:
    title = next(filter(None, (_first_line(about.get(key)) for key in _TITLES)), "")
    text = " ".join(filter(None, (name.replace("_", " "), _text(body.get("action")))))
    return f"{text}: {title}" if title else text


Sentence = Callable[[str, Fields, Fields], str]
_SENTENCES: dict[str, Sentence] = {
    "push": _push,
    "ping": _ping,
    **dict.fromkeys(("workflow_run", "workflow_job", "check_run", "check_suite"), _run),
    **dict.fromkeys(("issues", "issue_comment", "pull_request", "pull_request_review"), _numbered),
    "pull_request_review_comment": _numbered,
    **dict.fromkeys(("deployment", "deployment_status"), _deployment),
    "status": _status,
    **dict.fromkeys(("create", "delete"), _ref),
    **dict.fromkeys(ALERTS, _alert),
}


def _object(value: object) -> Fields:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return one_line(value[:SUBJECT_CHARACTERS]) if isinstance(value, str) else ""


def _number(about: Fields) -> str:
    number = about.get("number")
    return str(number) if isinstance(number, int) and abs(number) < 2**63 else ""


def _first_line(value: object) -> str:
    return _text(value.lstrip()[:SUBJECT_CHARACTERS].partition("\n")[0]) if isinstance(value, str) else ""
