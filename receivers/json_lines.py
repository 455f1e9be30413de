"""Lines of JSON (NDJSON), or an array of objects: our own events, and records of other programs. Pure: no I/O."""

from collections.abc import Iterator

from gateway.http.errors import ApiError
from gateway.http.json_bodies import PUBLISH_LIMIT_VALUES, refuse_costly
from receivers.intake import Received, Sender, refuse_many
from receivers.json_documents import read_exact_json
from vx11_client.lines.json_objects import json_object

LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
JSON_TYPE = "application/json"
DEFAULT_EVENT_TYPE = "log.line"

Fields = dict[str, object]


def read_lines(body: bytes, media_type: str, sender: Sender) -> Received:
    """The events of a body; empty lines are left out. Raises ApiError, which names the line."""
    if media_type in LINES_TYPES:
        objects = _objects_of_lines(body)
    elif media_type == JSON_TYPE:
        objects = _objects_of_array(body)
    else:
        raise ApiError("unsupported_media_type", title=f"Send {LINES_TYPES[0]}, or {JSON_TYPE} with an array.")
    mapping = sender.mapping(event_type=DEFAULT_EVENT_TYPE)
    received = Received()
    for found in objects:
        received.add(mapping.event_of_fields(found), sender)
    return received


def _objects_of_lines(body: bytes) -> Iterator[Fields]:
    # Of each line the parser knows the depth, and a thousand lines may be nested as deep as one.
    refuse_costly(body, limit_values=PUBLISH_LIMIT_VALUES)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise ApiError("malformed_json", title="The body is not UTF-8.") from None
    lines = text.split("\n")
    refuse_many(sum(1 for line in lines if line.strip()))
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = json_object(line)
        if found is None:
            title = f"Line {number} is no JSON object, is cut off, is nested too deep, or has a key twice."
            raise ApiError("malformed_json", title=title)
        yield found


def _objects_of_array(body: bytes) -> Iterator[Fields]:
    found = read_exact_json(body)
    items = found if isinstance(found, list) else [found]
    refuse_many(len(items))
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise ApiError("validation_error", errors={f"[{index}]": ["must be a JSON object"]})
        yield item
