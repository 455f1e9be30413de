"""Our declarations of foreign messages are those of their projects."""

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.rpc import status_pb2  # type: ignore[import-untyped]  # of googleapis-common-protos
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from receivers.protobuf_messages import LogsRequest, LogsResponse, PushRequest, Status


def fields_of(descriptor: Descriptor) -> dict[int, tuple[str, int, bool]]:
    """By number: name, type on the wire, and whether it is a list."""
    return {
        # Enums are whole numbers of 32 bits.
        field.number: (
            field.name,
            FieldDescriptor.TYPE_INT32 if field.type == FieldDescriptor.TYPE_ENUM else field.type,
            field.is_repeated,
        )
        for field in descriptor.fields
    }


def messages_of(descriptor: Descriptor, known: dict[str, Descriptor]) -> dict[str, Descriptor]:
    """The message and all that it holds, by name without package."""
    if descriptor.name not in known:
        known[descriptor.name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                messages_of(field.message_type, known)
    return known


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LogsRequest, logs_service_pb2.ExportLogsServiceRequest),
        (LogsResponse, logs_service_pb2.ExportLogsServiceResponse),
        (Status, status_pb2.Status),
    ],
)
def test_each_field_has_the_number_and_the_type_of_its_project(ours: type, theirs: type) -> None:
    declared, published = messages_of(ours.DESCRIPTOR, {}), messages_of(theirs.DESCRIPTOR, {})  # type: ignore[attr-defined]
    assert declared.keys() <= published.keys()
    for name, descriptor in declared.items():
        wanted = fields_of(published[name])
        assert {number: wanted[number] for number in fields_of(descriptor)} == fields_of(descriptor), name


def test_alternatives_of_a_value_are_one_choice() -> None:
    (choice,) = messages_of(LogsRequest.DESCRIPTOR, {})["AnyValue"].oneofs
    assert (choice.name, len(choice.fields)) == ("value", 7)


def test_a_push_is_what_promtail_sends() -> None:
    """The bytes of one line, written down by hand from Loki's push.proto: it publishes no package to compare with."""
    labels, line = b'{job="x"}', b"a line"
    timestamp = b"\x08\xd2\x09\x10\x07"  # seconds 1234, nanos 7
    pair = b"\x0a\x01k\x12\x01v"
    entry = b"\x0a" + bytes([len(timestamp)]) + timestamp + b"\x12" + bytes([len(line)]) + line
    entry += b"\x1a" + bytes([len(pair)]) + pair
    stream = b"\x0a" + bytes([len(labels)]) + labels + b"\x12" + bytes([len(entry)]) + entry
    written = b"\x0a" + bytes([len(stream)]) + stream
    (found,) = PushRequest.FromString(written).streams
    assert found.labels == '{job="x"}'
    (first,) = found.entries
    assert (first.timestamp.seconds, first.timestamp.nanos, first.line) == (1234, 7, "a line")
    assert [(each.name, each.value) for each in first.structured_metadata] == [("k", "v")]
