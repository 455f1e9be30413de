"""From the JSON of a webhook to an event: expressions where there are some, else what the body itself says. No I/O.

Expressions see `{"headers": {...}, "body": ...}`, because GitHub and GitLab name their events in a header.
"""

import dataclasses
import datetime
import math
from collections.abc import Mapping
from typing import Any

from gateway.http.errors import ApiError
from gateway.http.headers import RawHeaders
from gateway.redaction import is_credential
from receivers.intake import Received, Sender, event_type_of, id_of
from receivers.webhooks import github_events, signatures
from receivers.webhooks.expressions import BadExpression, Node, TooMuchWork, Work
from vx11_client.feeding.feed_mapping import FeedMapping
from vx11_client.lines.moments import Clock, moment_of_number
from vx11_client.lines.plain_text import storable, summary_of
from vx11_client.lines.severity_words import severity_of_word
from vx11_client.lines.time_forms import moment_of_text

# Headers that expressions may read: what senders say about the delivery, and nothing that proves who sent it.
HEADER_PREFIXES = ("x-github-", "x-gitlab-", "x-event", "x-gitea-", "webhook-id", "webhook-timestamp")
HEADER_NAMES = ("content-type", "user-agent", "idempotency-key", "x-request-id")
HEADERS_LIMIT, HEADER_CHARACTERS_LIMIT = 50, 1_000

Fields = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Hook:
    """A row as requests need it: its secret in clear, its expressions compiled."""

    name: str
    way: str
    public_id: str
    own_module: str = ""
    secret: str = dataclasses.field(default="", repr=False)
    expressions: Mapping[str, Node] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """A body twice, and what names the delivery. `exact` has numbers as they were written, `plain` as doubles."""

    exact: Any
    plain: Any
    headers: Mapping[str, str]
    delivery_id: str


def shown_headers(raw: RawHeaders) -> dict[str, str]:
    """The headers that expressions may read, in lower case; the first of each."""
    found: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")[:HEADER_CHARACTERS_LIMIT]
        is_shown = name in HEADER_NAMES or name.startswith(HEADER_PREFIXES)
        if is_shown and name.encode() not in signatures.PROOFS.values() and not is_credential(value):
            found.setdefault(name, value)
        if len(found) >= HEADERS_LIMIT:
            break
    return found


def received_of(delivery: Delivery, hook: Hook, sender: Sender) -> Received:
    """The one event of a delivery. Raises ApiError."""
    fields = _fields_of(delivery, hook, sender)
    received = Received()
    named = str(fields.pop("event_id", "")) or delivery.delivery_id
    if named:
        received.add_repeatable(fields, id_of("hook", hook.name, named), sender)
    else:
        received.add(fields, sender)
    return received


def _fields_of(delivery: Delivery, hook: Hook, sender: Sender) -> Fields:
    given = _evaluated(delivery, hook)
    fields = _by_itself(delivery, hook, sender)
    module = given.pop("module", fields.pop("module", None))
    fields |= given
    # A type is made of words that senders choose; the server's own are not theirs.
    fields["event_type"] = event_type_of(str(fields["event_type"]), default="webhook")
    return fields | sender.module_of(module)


def _by_itself(delivery: Delivery, hook: Hook, sender: Sender) -> Fields:
    """The event as it is without expressions."""
    body = delivery.exact
    if (
        hook.way == signatures.GITHUB
        and isinstance(body, dict)
        and (name := delivery.headers.get(github_events.HEADER))
    ):
        repository = body.get("repository")
        module = repository.get("name") if isinstance(repository, dict) else None
        fields = github_events.event_of(name[:64], body)
        return {
            **fields,
            "payload": storable(fields["payload"]),
            "summary": summary_of(fields["summary"]),
            "module": module,
        }
    fields = body if isinstance(body, dict) else {"body": body}
    # Not events of ours: a sender here does not choose ids and modules but by an expression.
    mapping = FeedMapping(
        event_type=f"webhook.{hook.name}", guess_severity=True, timezone=datetime.UTC, takes_events=False
    )
    return mapping.event_of_fields(fields)


def _evaluated(delivery: Delivery, hook: Hook) -> Fields:
    """What the expressions say; what is null or empty is left to the body. Raises ApiError."""
    work = Work()
    document = {"headers": dict(delivery.headers), "body": delivery.plain}
    found: Fields = {}
    for name, node in hook.expressions.items():
        try:
            value = work.result(node, document)
            if value not in (None, ""):
                found[name] = _READ[name](value)
        except TooMuchWork:
            title = "The expressions of this webhook would take too long for this body."
            raise ApiError("payload_too_large", title=title, errors={name: ["takes too many steps"]}) from None
        except BadExpression as wrong:
            raise ApiError("validation_error", errors={name: [str(wrong)]}) from None
    return found


def _summary(value: object) -> str:
    text = summary_of(_word(value))
    if not text:
        raise BadExpression("gives a text of nothing but spaces")
    return text


def _word(value: object) -> str:
    """A text, or a number as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadExpression("must give a text")
    return str(value)


def _severity(value: object) -> str:
    if found := severity_of_word(_word(value)):
        return found
    raise BadExpression("must give a severity, such as info, warn, error or critical")


def _occurred_at(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    moment = moment_of_number(value) if is_number else moment_of_text(_word(value)[:64], Clock(datetime.UTC))  # type: ignore[arg-type]  # is_number says so
    if moment is None:
        raise BadExpression("must give a time")
    return moment.astimezone(datetime.UTC).isoformat()


def _payload(value: object) -> object:
    if not isinstance(value, dict):
        raise BadExpression("must give an object")
    return storable(value)


_READ = {
    "summary": _summary,
    "severity": _severity,
    "module": _word,
    "event_type": _word,
    "occurred_at": _occurred_at,
    "event_id": _word,
    "payload": _payload,
}
