"""What schemathesis cannot read in the OpenAPI document of this API. It loads this by SCHEMATHESIS_HOOKS."""

from collections.abc import Mapping
from typing import Any

import schemathesis

# What HTTP itself says, for which OpenAPI has no place; and what every answer of this server carries, pages too.
HEADERS_OF_ALL = {"connection", "content-length", "content-type", "date", "server", "transfer-encoding", "vary"} | {
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-frame-options",
}
# What makes a stream follow the log.
FOLLOWING = {"true", "1", ""}
# In one filter, and in one answer.
VALUES_LIMIT, BUCKETS_LIMIT = 100, 1_000
LONG_WAITS = {str(seconds) for seconds in range(2, 26)}
WATCH_OPERATIONS = {"make_watch", "change_watch", "preview_watch", "mute_watch"}
WEBHOOK_OPERATIONS = {"add_webhook", "change_webhook"}
STREAM_PATH = "/operator/api/events/stream"


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Ask for what ends soon: a stream that follows the log never does, and a long poll takes its time."""
    query = case.query = case.query or {}
    if case.operation.path == STREAM_PATH and str(query.get("follow", "")).lower() in FOLLOWING:
        query["follow"] = "false"
    if query.get("since") and str(query.get("wait")) in LONG_WAITS:
        query["wait"] = "1"


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leaves out what the document can say in words only: rules between fields, and across the items of a list."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return True
    query, body = case.query or {}, case.body if isinstance(case.body, dict) else {}
    if any(_has_too_many_values(value) for value in (*query.values(), *body.values())) or _has_long_integer(body):
        return False
    if query.get("q") or body.get("q") or query.get("fields"):
        # The language of queries has a grammar, and no form that a schema could say.
        return False
    if query.get("from") and query.get("to"):
        return False
    operation = case.operation.definition.raw["operationId"]
    if operation in WATCH_OPERATIONS and _has_words_of_its_own(body):
        return False
    if operation in WATCH_OPERATIONS and not str(body.get("name") or "x").isprintable():
        return False  # A line has no character that is not seen.
    name = str(body.get("name") or "x")
    if operation in WEBHOOK_OPERATIONS and (body.get("query") or not (name.isprintable() and name.strip())):
        return False  # The same, and queries have a grammar.
    if operation == "publish":
        return not ("events" in body and "Idempotency-Key" in (case.headers or {}))
    if operation in ("save_view", "change_view"):
        # Queries have a grammar, times are dates that exist, and a line has no character that is not seen.
        texts = [value for value in body.values() if isinstance(value, str)]
        asked = any(body.get(name) for name in ("query", "from", "to"))
        return not asked and all(text.isprintable() and text.strip() == text for text in texts)
    return operation != "event_stats" or _has_room_for_buckets(query)


def _has_words_of_its_own(body: Mapping[str, Any]) -> bool:
    """Queries, fields, names of targets and times of day have forms, or must exist, which a schema cannot say."""
    condition = body.get("condition")
    names_field = isinstance(condition, dict) and "field" in condition
    return names_field or any(body.get(name) for name in ("query", "group_by", "notify", "quiet", "muted_until"))


def _has_too_many_values(value: object) -> bool:
    return isinstance(value, list) and sum(str(item).count(",") + 1 for item in value) > VALUES_LIMIT


def _has_long_integer(value: object) -> bool:
    """What JSON Schema cannot tell from a double: a whole number of more than 64 bits, written out."""
    if isinstance(value, dict | list):
        return any(map(_has_long_integer, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**64


def _has_room_for_buckets(query: Mapping[str, Any]) -> bool:
    if query.get("from") or query.get("to") or query.get("buckets"):
        return not query.get("bucket")
    return int(query.get("seconds", 900)) <= BUCKETS_LIMIT * int(query.get("bucket", 5))


@schemathesis.check
def headers_are_documented(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """schemathesis looks for headers that are missing; this one for those that nobody wrote down."""
    if response.request.method != case.operation.method.upper():
        # Whether other methods are refused is asked by a check of its own.
        return
    found = case.operation.responses.find_by_status_code(response.status_code)
    if found is None:
        # That is what another check says.
        return
    documented = {name.lower() for name in found.definition.get("headers", {})}
    strangers = response.headers.keys() - HEADERS_OF_ALL - documented
    assert not strangers, f"headers that are not in the document: {sorted(strangers)}"
