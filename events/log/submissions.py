"""What a publisher sends, checked and made ready for the log. Pure.

A submission is one event or a batch; it is taken whole or refused whole.
"""

import dataclasses
import difflib
import hashlib
import itertools
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.filters import SEVERITIES, SEVERITY_ALIASES
from gateway.tracing import Span
from vx11_client import exact_json
from vx11_client.event_ids import new_event_id
from vx11_client.wire_names import ID_FORM, MODULE_FORM, TYPE_FORM

BATCH_LIMIT_EVENTS = 500
EVENT_LIMIT_BYTES = 64 * 1024
# All fields but the payload have less than this together, so only a large payload can make a large event.
OTHER_FIELDS_BYTES = 4096
SUMMARY_LIMIT = 500
RESERVED_TYPES = frozenset({"error", "open", "message", "heartbeat", "connected", "caught-up"})
RESERVED_PREFIXES = ("stream-", "system.", "window.", "chat.", "watch.")
# What manage.py smoke publishes, with a token that is some module's.
SMOKE_EVENT_TYPE = "smoke.test"

KEY_FORM = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_FIELDS = frozenset(
    {"event_type", "summary", "severity", "module", "payload", "correlation_id", "event_id", "occurred_at"}
)
# So many fields that no event has are named, and so much of each name.
UNKNOWN_NAMED_LIMIT = 10
UNKNOWN_NAME_LIMIT = 64


class Invalid(Exception):
    """An event that cannot be taken: problems by field. `too_large` asks for 413 instead of 422."""

    def __init__(self, errors: Mapping[str, list[str]], *, too_large: bool = False) -> None:
        super().__init__(str(errors))
        self.errors = dict(errors)
        self.too_large = too_large


@dataclasses.dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no place in the log yet. `payload` is JSON text."""

    event_id: str
    event_type: str
    summary: str
    module: str
    severity: str
    correlation_id: str
    payload: str
    occurred_at: datetime | None = None
    # Empty when the publisher cannot repeat it by id or key; then nothing is ever compared.
    fingerprint: str = ""


@dataclasses.dataclass(slots=True)
class Submission:
    """Events of one publisher to be appended together. `idempotency_key` goes with single events only."""

    publisher: str
    events: list[NewEvent]
    idempotency_key: str | None = None
    # Whether it came as a batch, which is answered as one, also when it holds one event.
    batch: bool = False
    # Set by the log when it has tried once: then even ids made here may be in the table already.
    tried: bool = False
    # Of the request that brought it, while traces are recorded.
    span: Span | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Defaults:
    """Values for fields that an event leaves out: the token's module, the request's correlation id."""

    module: str
    correlation_id: str
    idempotency_key: str | None = None


def read_key(text: str | None) -> str | None:
    """The Idempotency-Key header, None when absent. Raises Invalid."""
    if not text:
        return None
    if not KEY_FORM.fullmatch(text):
        raise Invalid({"Idempotency-Key": ["1 to 128 visible ASCII characters"]})
    return text


def read_event(data: Any, defaults: Defaults) -> NewEvent:
    """One event of a request. Raises Invalid."""
    if not isinstance(data, dict):
        raise Invalid({"event": ["must be a JSON object"]})
    errors = {} if data.keys() <= _FIELDS else unknown_fields(data, _FIELDS)
    event_type = _event_type(data, errors)
    summary = _summary(data, errors)
    severity = _severity(data, errors)
    module = _matched(data, "module", MODULE_FORM, defaults.module, errors)
    correlation_id = _matched(data, "correlation_id", ID_FORM, defaults.correlation_id, errors)
    event_id = _matched(data, "event_id", ID_FORM, "", errors)
    occurred_at = _occurred_at(data, errors)
    payload = _payload(data, errors)
    if errors:
        raise Invalid(errors)
    if len(payload) > EVENT_LIMIT_BYTES - OTHER_FIELDS_BYTES and len(exact_json.dumps(data)) > EVENT_LIMIT_BYTES:
        raise Invalid({"payload": [f"an event has at most {EVENT_LIMIT_BYTES} bytes"]}, too_large=True)
    repeatable = bool(event_id or defaults.idempotency_key)
    return NewEvent(
        event_id=event_id or new_event_id(),
        event_type=event_type,
        summary=summary,
        module=module,
        severity=severity,
        correlation_id=correlation_id,
        payload=payload.decode(),
        occurred_at=occurred_at,
        fingerprint=_fingerprint(data) if repeatable else "",
    )


def unknown_fields(data: Mapping[str, Any], known: Collection[str]) -> dict[str, list[str]]:
    """A problem for each field that is not known, with the name that may have been meant."""
    unknown = itertools.islice((name for name in data if name not in known), UNKNOWN_NAMED_LIMIT)
    return {name[:UNKNOWN_NAME_LIMIT]: [_unknown(name[:UNKNOWN_NAME_LIMIT], known)] for name in unknown}


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else "data of your own goes into payload"
    return f"unknown; {hint}"


def _fingerprint(data: Mapping[str, Any]) -> str:
    """Of what was sent, not of what defaults made of it: a retry has another correlation id."""
    return hashlib.sha256(exact_json.canonical(data)).hexdigest()[:32]


def _event_type(data: Mapping[str, Any], errors: dict[str, list[str]]) -> str:
    value = data.get("event_type")
    if not isinstance(value, str) or not TYPE_FORM.fullmatch(value):
        errors["event_type"] = ["required: 1 to 64 of a-z 0-9 . _ -"]
        return ""
    if value in RESERVED_TYPES or value.startswith(RESERVED_PREFIXES):
        errors["event_type"] = [f"{value} is reserved for the server"]
    return value


def _summary(data: Mapping[str, Any], errors: dict[str, list[str]]) -> str:
    value = data.get("summary")
    if not isinstance(value, str) or not value:
        errors["summary"] = ["required: a text"]
        return ""
    if len(value) > SUMMARY_LIMIT:
        errors["summary"] = [f"at most {SUMMARY_LIMIT} characters"]
    return value


def _severity(data: Mapping[str, Any], errors: dict[str, list[str]]) -> str:
    value = data.get("severity")
    if value is None:
        return "info"
    value = SEVERITY_ALIASES.get(value, value) if isinstance(value, str) else ""
    if value not in SEVERITIES:
        errors["severity"] = [f"one of {', '.join(SEVERITIES)}"]
    return str(value)


def _matched(
    data: Mapping[str, Any], field: str, pattern: re.Pattern[str], default: str, errors: dict[str, list[str]]
) -> str:
    value = data.get(field)
    if value is None:
        return default
    if not isinstance(value, str) or not pattern.fullmatch(value):
        errors[field] = ["1 to 64 of A-Z a-z 0-9 . _ -"]
        return ""
    return value


def _occurred_at(data: Mapping[str, Any], errors: dict[str, list[str]]) -> datetime | None:
    value = data.get("occurred_at")
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        errors["occurred_at"] = ["an ISO 8601 time"]
        return None


def _payload(data: Mapping[str, Any], errors: dict[str, list[str]]) -> bytes:
    value = data.get("payload")
    if value is None:
        return b"{}"
    if not isinstance(value, dict):
        errors["payload"] = ["must be a JSON object"]
        return b"{}"
    try:
        return exact_json.dumps(value)
    except orjson.JSONEncodeError as error:
        errors["payload"] = [str(error)]
        return b"{}"
