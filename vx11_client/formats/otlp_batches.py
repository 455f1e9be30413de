"""Batches of OpenTelemetry's logs as JSON, one batch in a line, as its collector writes them to files. Pure."""

import dataclasses
from collections.abc import Iterator, Mapping

import orjson

from vx11_client import exact_json
from vx11_client.lines.line import Line
from vx11_client.lines.logger_fields import LoggerFields

# Values in values; what is deeper is left out.
DEPTH_LIMIT = 12
_SEVERITY_PREFIX = "SEVERITY_NUMBER_"

Fields = dict[str, object]


def records_of(batch: Fields) -> Iterator[Fields]:
    """The records of a batch, each as fields of its own; empty for what is no batch."""
    for resource in _list(batch, "resourceLogs", "resource_logs"):
        of_resource = _attributes(_object(resource.get("resource")).get("attributes"))
        for scope in _list(resource, "scopeLogs", "scope_logs", "instrumentationLibraryLogs"):
            scope_name = _object(scope.get("scope") or scope.get("instrumentationLibrary")).get("name")
            for record in _list(scope, "logRecords", "log_records"):
                attributes = _attributes(record.get("attributes"))
                yield flat_record(record, _value(record.get("body")), attributes, of_resource, scope_name)


def flat_record(record: Fields, body: object, attributes: Fields, of_resource: Fields, scope_name: object) -> Fields:
    """A record with what it says in fields of their own, without those that are empty.

    `record` has the fields under the names that they have in JSON. Values are plain ones, as plain_value makes them.
    """
    fields = {name: value for name, value in record.items() if value not in ("0", 0, "", None)}
    fields |= {"body": body, "attributes": attributes, "resource": of_resource, "scope": scope_name}
    if isinstance(body, dict) and (message := next((text for _, text in LoggerFields(body).messages()), "")):
        fields["message"] = message
    number = record.get("severityNumber")
    if isinstance(number, str) and number.startswith(_SEVERITY_PREFIX):
        fields.setdefault("severityText", number.removeprefix(_SEVERITY_PREFIX))
    return {name: value for name, value in fields.items() if value not in ("", {}, None)}


def expanded(line: Line) -> list[Line] | None:
    """A line for each record of the batch; None when the line is none.

    Each has a name of its own, and only the last one ends where the batch ends: a batch that was sent in part is read
    again, and its first records are recognised.
    """
    batch = _batch(line)
    found = [exact_json.dumps(record) for record in records_of(batch)]
    if not found and not _list(batch, "resourceLogs", "resource_logs"):
        return None
    last = len(found) - 1
    return [
        dataclasses.replace(
            line,
            content=content,
            total_bytes=len(content),
            place=f"{line.place}#{number}" if line.place else "",
            end=line.end if number == last else line.start,
        )
        for number, content in enumerate(found)
    ]


def _batch(line: Line) -> Fields:
    if line.is_cut or b"esource" not in line.content[:64]:
        return {}
    try:
        return _object(orjson.loads(line.content))
    except ValueError:
        return {}


def _attributes(found: object) -> Fields:
    if not isinstance(found, list):
        return {}
    pairs = (item for item in found if isinstance(item, dict) and isinstance(item.get("key"), str))
    return {item["key"]: _value(item.get("value")) for item in pairs}


def _value(found: object, depth: int = DEPTH_LIMIT) -> object:
    """A value of OpenTelemetry as JSON has it: `{"intValue": "5"}` is 5."""
    if not isinstance(found, Mapping) or not found or depth == 0:
        return None
    (kind, value), *_ = found.items()
    if kind == "intValue":
        return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() and len(value) < 20 else value
    if kind == "arrayValue":
        return [_value(item, depth - 1) for item in _list(_object(value), "values")]
    if kind == "kvlistValue":
        items = _list(_object(value), "values")
        return {str(item.get("key", "")): _value(item.get("value"), depth - 1) for item in items}
    return value


def _object(found: object) -> Fields:
    return found if isinstance(found, dict) else {}


def _list(found: Fields, *names: str) -> list[Fields]:
    """The objects in the first of these lists that is there."""
    values = next((found[name] for name in names if isinstance(found.get(name), list)), [])
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []
