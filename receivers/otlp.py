"""Logs of OpenTelemetry (OTLP/HTTP), as JSON and as protobuf: records become events. Pure: no I/O.

Both become the fields that a batch in a file has (`vx11_client.formats.otlp_batches`), so a record is the same event
whichever way it comes.
"""

import base64
import math
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.http.errors import ApiError
from receivers.intake import Received, Sender, event_type_of, refuse_many
from receivers.json_documents import read_json
from receivers.protobuf_bodies import parsed
from receivers.protobuf_messages import LogsRequest
from vx11_client.formats.otlp_batches import DEPTH_LIMIT, flat_record, records_of
from vx11_client.wire_names import ID_FORM

JSON_TYPE, PROTOBUF_TYPE = "application/json", "application/x-protobuf"
DEFAULT_EVENT_TYPE = "log.record"
SAYS_NOTHING = "records without body, attributes and event name were left out"
# Fields of a record that name it, and say nothing by themselves.
_SAYING = ("body", "attributes", "eventName")

Fields = dict[str, object]


def read_logs(body: bytes, media_type: str, sender: Sender) -> Received:
    """The events of an export request. Raises ApiError."""
    if media_type == PROTOBUF_TYPE:
        records = _records_of_message(parsed(LogsRequest, body))
    elif media_type == JSON_TYPE:
        records = _records_of_json(body)
    else:
        raise ApiError("unsupported_media_type", title=f"Send OTLP as {PROTOBUF_TYPE} or {JSON_TYPE}.")
    mapping = sender.mapping(event_type=DEFAULT_EVENT_TYPE)
    received = Received()
    for record in records:
        if not any(record.get(name) for name in _SAYING):
            received.rejected_count += 1
            continue
        resource = record.get("resource")
        named = resource if isinstance(resource, dict) else {}
        received.add(mapping.event_of_fields(record) | _own_fields(record) | sender.module_of(_name_of(named)), sender)
    return received


def _own_fields(record: Fields) -> Fields:
    """What OpenTelemetry has names for, and lines have not: the name of an event, and its trace."""
    found: Fields = {}
    if isinstance(name := record.get("eventName"), str) and name:
        found["event_type"] = event_type_of(name, default=DEFAULT_EVENT_TYPE)
    if isinstance(trace := record.get("traceId"), str) and ID_FORM.fullmatch(trace):
        found["correlation_id"] = trace
    return found


def _name_of(resource: Fields) -> object:
    return resource.get("service.name")


def _records_of_json(body: bytes) -> Iterator[Fields]:
    batch = read_json(body)
    if not isinstance(batch, dict) or not isinstance(batch.get("resourceLogs", []), list):
        raise ApiError("bad_request", title="An export request is an object with a list resourceLogs.")
    return records_of(batch)


def _records_of_message(request: Any) -> Iterator[Fields]:
    refuse_many(sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs))
    for resource in request.resource_logs:
        of_resource = _attributes(resource.resource.attributes)
        for scope in resource.scope_logs:
            name = scope.scope.name
            for record in scope.log_records:
                yield flat_record(
                    _json_fields(record), _plain(record.body), _attributes(record.attributes), of_resource, name
                )


def _json_fields(record: Any) -> Fields:
    """The fields of a record under the names, and in the form, that they have in JSON."""
    return {
        "timeUnixNano": str(record.time_unix_nano),
        "observedTimeUnixNano": str(record.observed_time_unix_nano),
        "severityNumber": record.severity_number,
        "severityText": record.severity_text,
        "eventName": record.event_name,
        "droppedAttributesCount": record.dropped_attributes_count,
        "flags": record.flags,
        "traceId": record.trace_id.hex(),
        "spanId": record.span_id.hex(),
    }


def _attributes(pairs: Iterable[Any]) -> Fields:
    return {pair.key: _plain(pair.value) for pair in pairs}


def _plain(value: Any, depth: int = DEPTH_LIMIT) -> object:
    """A value of OpenTelemetry as JSON has it; what is nested deeper is left out."""
    kind = value.WhichOneof("value")
    if kind is None or depth == 0:
        return None
    found = getattr(value, kind)
    if kind == "array_value":
        return [_plain(item, depth - 1) for item in found.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value, depth - 1) for item in found.values}
    if kind == "bytes_value":
        return base64.b64encode(found).decode()
    if kind == "double_value" and not math.isfinite(found):
        # As protobuf writes it in JSON.
        return "NaN" if math.isnan(found) else "Infinity" if found > 0 else "-Infinity"
    return found
