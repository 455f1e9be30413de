"""Loki's push, as JSON and as protobuf in a block of snappy: lines with labels become events. Pure: no I/O."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import cramjam

from gateway.http.bodies import PUBLISH_LIMIT_BYTES
from gateway.http.errors import ApiError
from receivers.intake import Received, Sender, refuse_many
from receivers.json_documents import read_json
from receivers.labels import read_labels
from receivers.protobuf_bodies import parsed
from receivers.protobuf_messages import PushRequest
from vx11_client.feeding.feed_mapping import FeedMapping, fitted
from vx11_client.lines.logger_fields import LoggerFields
from vx11_client.lines.moments import moment_of_number
from vx11_client.lines.plain_text import storable, storable_text
from vx11_client.lines.severity_words import severity_of_word

JSON_TYPE = "application/json"
# Loki takes protobuf where no type is named.
PROTOBUF_TYPES = ("application/x-protobuf", "")
DEFAULT_EVENT_TYPE = "log.line"
# Which label is the module of an event, the best one first.
MODULE_LABELS = ("service_name", "service", "app", "application", "job", "container", "unit")
LABELS_KEY, METADATA_KEY, FIELDS_KEY = "labels", "metadata", "fields"
# A line and labels of so many characters each fit into an event, whatever the characters are.
SHORT_CHARACTERS = 2_000
# What Loki itself found in a line.
DETECTED = ("detected_level",)

Fields = dict[str, object]


class Line(NamedTuple):
    """One entry: its time in nanoseconds, its text, and its structured metadata."""

    nanoseconds: int
    text: str
    metadata: Mapping[str, Any]


def unpacked_block(block: bytes) -> bytes:
    """A block of snappy, which says at its start how long it is. Raises ApiError."""
    try:
        if cramjam.snappy.decompress_raw_len(block) > PUBLISH_LIMIT_BYTES:
            title = f"Unpacked, the body is larger than {PUBLISH_LIMIT_BYTES} bytes."
            raise ApiError("payload_too_large", title=title)
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError:
        raise ApiError("bad_request", title="The body is no block of snappy, or is cut off.") from None


def read_push(body: bytes, media_type: str, sender: Sender) -> Received:
    """The events of a push request; empty lines are left out. Raises ApiError."""
    if media_type in PROTOBUF_TYPES:
        streams = _streams_of_message(parsed(PushRequest, unpacked_block(body)))
    elif media_type == JSON_TYPE:
        streams = _streams_of_json(body)
    else:
        raise ApiError("unsupported_media_type", title="Send application/json, or application/x-protobuf with snappy.")
    mapping = sender.mapping(event_type=DEFAULT_EVENT_TYPE)
    received = Received()
    for found, lines in streams:
        labels: Fields = {storable_text(name): storable(value) for name, value in found.items()}
        module = sender.module_of(*(labels.get(name) for name in MODULE_LABELS))
        severity = _severity_of(labels)
        has_short_labels = sum(len(name) + len(str(value)) for name, value in labels.items()) < SHORT_CHARACTERS
        for line in lines:
            event = _event(mapping, labels, line, severity)
            if event is None:
                received.rejected_count += 1
                continue
            if not has_short_labels or line.metadata or len(line.text) > SHORT_CHARACTERS:
                event = fitted(event, line.text, len(line.text.encode(errors="replace")))
            received.add(event | module, sender)
    return received


def _event(mapping: FeedMapping, labels: Fields, line: Line, severity: str | None) -> Fields | None:
    event = mapping.event_of_text(line.text)
    if event is None:
        return None
    moment = moment_of_number(line.nanoseconds)
    if moment is not None:
        # The sender has read the time of the line, or has taken the time of reading.
        event["occurred_at"] = moment.astimezone(datetime.UTC).isoformat()
    metadata = {storable_text(name): storable(value) for name, value in line.metadata.items()}
    severity = (_severity_of(metadata) if metadata else None) or severity
    if severity is not None:
        event["severity"] = severity
    around: Fields = {LABELS_KEY: labels, **({METADATA_KEY: metadata} if metadata else {})}
    payload = event.get("payload")
    inner = payload if isinstance(payload, dict) else {}
    event["payload"] = {**around, FIELDS_KEY: inner} if inner.keys() & around.keys() else {**inner, **around}
    return event


def _severity_of(fields: Mapping[str, object]) -> str | None:
    """What labels or metadata say; they hold texts only."""
    if severity := LoggerFields(fields).severity(None):
        return severity
    return next((found for name in DETECTED if (found := severity_of_word(str(fields.get(name, ""))))), None)


def _streams_of_message(request: Any) -> Iterator[tuple[Fields, Iterator[Line]]]:
    refuse_many(sum(len(stream.entries) for stream in request.streams))
    for stream in request.streams:
        try:
            labels = read_labels(stream.labels)
        except ValueError as error:
            raise ApiError("bad_request", title=f"The labels of a stream cannot be read: {error}.") from None
        yield dict(labels), (_line_of_message(entry) for entry in stream.entries)


def _line_of_message(entry: Any) -> Line:
    metadata = {pair.name: pair.value for pair in entry.structured_metadata}
    return Line(entry.timestamp.seconds * 10**9 + entry.timestamp.nanos, entry.line, metadata)


def _streams_of_json(body: bytes) -> Iterator[tuple[Fields, Iterator[Line]]]:
    push = read_json(body)
    streams = push.get("streams") if isinstance(push, dict) else None
    if not isinstance(streams, list):
        raise _wrong("a push is an object with a list of streams")
    for number, stream in enumerate(streams):
        labels = stream.get("stream") if isinstance(stream, dict) else None
        values = stream.get("values") if isinstance(stream, dict) else None
        if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
            raise _wrong(f"streams[{number}].stream is an object of labels")
        if not isinstance(values, list):
            raise _wrong(f"streams[{number}].values is a list")
        yield labels, _lines_of_json(values, number)


def _lines_of_json(values: Iterable[Any], number: int) -> Iterator[Line]:
    for index, value in enumerate(values):
        place = f"streams[{number}].values[{index}]"
        if not isinstance(value, list) or not 2 <= len(value) <= 3 or not isinstance(value[1], str):
            raise _wrong(f"{place} is a time and a line")
        time, text, *rest = value
        if not isinstance(time, str) or not time.isascii() or not time.isdigit() or len(time) > 19:
            raise _wrong(f"{place}[0] is a time in nanoseconds, as a text")
        metadata = rest[0] if rest else {}
        if not isinstance(metadata, dict):
            raise _wrong(f"{place}[2] is an object of structured metadata")
        yield Line(int(time), text, metadata)


def _wrong(sentence: str) -> ApiError:
    return ApiError("bad_request", title=f"The push cannot be read: {sentence}.")
