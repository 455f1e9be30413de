"""The protobuf messages of OpenTelemetry's logs and of Loki's push, as their projects publish them. Values, no I/O.

They are declared here and not generated: the modules of opentelemetry-proto lie in the package of OpenTelemetry, which
a server that sends no traces does not need, and Loki publishes none. A pool of their own keeps them apart from those
of OpenTelemetry in the same process. tests/receivers/test_protobuf_messages.py compares each field with theirs.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = descriptor_pb2.FieldDescriptorProto.Type

# Of a message: its fields as (number, type); a type with [] stands for a list, one with a dot for a message. Fields of
# AnyValue are alternatives.
_OPENTELEMETRY = {
    "AnyValue": {
        "string_value": (1, "string"),
        "bool_value": (2, "bool"),
        "int_value": (3, "int64"),
        "double_value": (4, "double"),
        "array_value": (5, ".ArrayValue"),
        "kvlist_value": (6, ".KeyValueList"),
        "bytes_value": (7, "bytes"),
    },
    "ArrayValue": {"values": (1, ".AnyValue[]")},
    "KeyValueList": {"values": (1, ".KeyValue[]")},
    "KeyValue": {"key": (1, "string"), "value": (2, ".AnyValue")},
    "InstrumentationScope": {"name": (1, "string"), "version": (2, "string"), "attributes": (3, ".KeyValue[]")},
    "Resource": {"attributes": (1, ".KeyValue[]")},
    "LogRecord": {
        "time_unix_nano": (1, "fixed64"),
        # An enum there, whose numbers may grow; on the wire it is the same.
        "severity_number": (2, "int32"),
        "severity_text": (3, "string"),
        "body": (5, ".AnyValue"),
        "attributes": (6, ".KeyValue[]"),
        "dropped_attributes_count": (7, "uint32"),
        "flags": (8, "fixed32"),
        "trace_id": (9, "bytes"),
        "span_id": (10, "bytes"),
        "observed_time_unix_nano": (11, "fixed64"),
        "event_name": (12, "string"),
    },
    "ScopeLogs": {"scope": (1, ".InstrumentationScope"), "log_records": (2, ".LogRecord[]")},
    "ResourceLogs": {"resource": (1, ".Resource"), "scope_logs": (2, ".ScopeLogs[]")},
    "ExportLogsServiceRequest": {"resource_logs": (1, ".ResourceLogs[]")},
    "ExportLogsPartialSuccess": {"rejected_log_records": (1, "int64"), "error_message": (2, "string")},
    "ExportLogsServiceResponse": {"partial_success": (1, ".ExportLogsPartialSuccess")},
    # google.rpc.Status, without its details.
    "Status": {"code": (1, "int32"), "message": (2, "string")},
}
_LOKI = {
    "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "LabelPair": {"name": (1, "string"), "value": (2, "string")},
    "Entry": {"timestamp": (1, ".Timestamp"), "line": (2, "string"), "structured_metadata": (3, ".LabelPair[]")},
    "Stream": {"labels": (1, "string"), "entries": (2, ".Entry[]")},
    "PushRequest": {"streams": (1, ".Stream[]")},
}
_ALTERNATIVES = {"AnyValue": "value"}

Fields = dict[str, tuple[int, str]]


def _declare(package: str, messages: dict[str, Fields]) -> dict[str, Any]:
    """The classes of the messages by their names."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        if choice := _ALTERNATIVES.get(name):
            message.oneof_decl.add(name=choice)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number)
            is_list = kind.endswith("[]")
            field.label = field.LABEL_REPEATED if is_list else field.LABEL_OPTIONAL
            kind = kind.removesuffix("[]")
            if kind.startswith("."):
                field.type, field.type_name = field.TYPE_MESSAGE, f".{package}{kind}"
            else:
                field.type = _TYPES.Value(f"TYPE_{kind.upper()}")
            if choice:
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


_otlp = _declare("vx11_receivers_otlp", _OPENTELEMETRY)
_loki = _declare("vx11_receivers_loki", _LOKI)
LogsRequest = _otlp["ExportLogsServiceRequest"]
LogsResponse = _otlp["ExportLogsServiceResponse"]
Status = _otlp["Status"]
PushRequest = _loki["PushRequest"]
