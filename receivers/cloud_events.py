"""CloudEvents 1.0 over HTTP: one event as JSON or in headers, or a batch, become events. Pure: no I/O."""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from gateway.http.errors import ApiError
from receivers.intake import Received, Sender, event_type_of, first_text, id_of, refuse_many
from receivers.json_documents import media_type_of, read_exact_json
from vx11_client.lines.logger_fields import LoggerFields
from vx11_client.lines.plain_text import one_line, storable, summary_of
from vx11_client.wire_names import ID_FORM

STRUCTURED_TYPE, BATCH_TYPE = "application/cloudevents+json", "application/cloudevents-batch+json"
HEADER_PREFIX = "ce-"
SPEC_VERSION = "1.0"
REQUIRED = ("id", "source", "specversion", "type")
DEFAULT_EVENT_TYPE = "cloudevent"
ATTRIBUTES_LIMIT = 100

_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}", re.ASCII)

Fields = dict[str, Any]


def read_events(body: bytes, content_type: str, headers: Mapping[str, str], sender: Sender) -> Received:
    """The events of a request in any of the three modes. Raises ApiError."""
    media_type = media_type_of(content_type)
    received = Received()
    if media_type == BATCH_TYPE:
        found = read_exact_json(body)
        if not isinstance(found, list):
            raise ApiError("validation_error", errors={"body": ["a batch is a JSON array"]})
        refuse_many(len(found))
        for index, item in enumerate(found):
            _add(received, item, f"[{index}].", sender)
    elif media_type == STRUCTURED_TYPE:
        _add(received, read_exact_json(body), "", sender)
    elif any(name.lower() == f"{HEADER_PREFIX}specversion" for name in headers):
        _add(received, _of_headers(body, content_type, headers), HEADER_PREFIX, sender)
    else:
        title = f"Send {STRUCTURED_TYPE}, {BATCH_TYPE}, or the headers {HEADER_PREFIX}..."
        raise ApiError("unsupported_media_type", title=title)
    return received


def _add(received: Received, event: object, place: str, sender: Sender) -> None:
    if not isinstance(event, dict):
        raise ApiError("validation_error", errors={place or "body": ["an event is a JSON object"]})
    problems = {
        f"{place}{name}": ["required: a text"]
        for name in REQUIRED
        if not isinstance(event.get(name), str) or not event[name]
    }
    if not problems and event["specversion"] != SPEC_VERSION:
        problems[f"{place}specversion"] = [f"only {SPEC_VERSION} is taken"]
    if problems:
        raise ApiError("validation_error", errors=problems)
    stored: Fields = {name: storable(value) for name, value in event.items()}
    received.add_repeatable(_mapped(stored, sender), id_of("ce", event["source"], event["id"]), sender)


def _mapped(event: Fields, sender: Sender) -> Fields:
    kind, data = event["type"], event.get("data")
    inside: Fields = data if isinstance(data, dict) else {}
    event_type = event_type_of(kind, default=DEFAULT_EVENT_TYPE)
    text = first_text([*(text for _, text in LoggerFields(inside).messages()), data, event.get("subject")])
    # A level and a time of the data, or an extension of the event that names a level.
    around = {"level": event.get("severity", event.get("level")), "time": event.get("time")}
    inside_mapping = sender.mapping(event_type=event_type)
    fields = inside_mapping.event_of_fields({"message": one_line(text) or kind, **_levels(inside), **_given(around)})
    summary = summary_of(text) or summary_of(kind)
    fields |= {"summary": summary, "payload": event}
    for name in ("correlationid", "correlation_id"):
        if isinstance(value := event.get(name), str) and ID_FORM.fullmatch(value):
            fields["correlation_id"] = value
    return fields | sender.module_of(event.get("module"), _last_part(event["source"]))


def _levels(inside: Fields) -> Fields:
    """Of data, what may be a level or a time: everything short that is not a message."""
    return {
        name: value
        for name, value in inside.items()
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 64 and name != "message")
    }


def _given(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _last_part(source: str) -> str:
    """Of `https://example.org/orders` and `/apps/orders`: `orders`."""
    return source.partition("?")[0].rstrip("/").rpartition("/")[2]


def _of_headers(body: bytes, content_type: str, headers: Mapping[str, str]) -> Fields:
    """The event of binary mode: attributes are headers, and the body is its data."""
    event: Fields = {}
    for name, value in headers.items():
        attribute = name.lower().removeprefix(HEADER_PREFIX)
        if not name.lower().startswith(HEADER_PREFIX):
            continue
        if not _ATTRIBUTE.fullmatch(attribute) or len(event) >= ATTRIBUTES_LIMIT:
            raise ApiError("validation_error", errors={name[:64].lower(): ["is no name of an attribute"]})
        # As the binding for HTTP writes what ASCII lacks.
        event[attribute] = unquote(value.strip('"'), errors="replace")
    media_type = media_type_of(content_type)
    if content_type:
        event["datacontenttype"] = content_type
    if not body:
        return event
    if media_type == "application/json" or media_type.endswith("+json"):
        return event | {"data": read_exact_json(body)}
    try:
        if not content_type and (data := _json_or_none(body)) is not None:
            return event | {"data": data}
        return event | {"data": body.decode("utf-8")}
    except UnicodeDecodeError:
        return event | {"data_base64": base64.b64encode(body).decode()}


def _json_or_none(body: bytes) -> Any:
    """JSON, which the project's SDK writes also where it names no type; None for other bytes. Raises ApiError."""
    try:
        return read_exact_json(body)
    except ApiError as refusal:
        if refusal.reason != "malformed_json":
            raise
        return None
