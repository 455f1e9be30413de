"""Protobuf bodies: what is dear to parse is refused before it is parsed, what is broken is refused."""

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from gateway.http.errors import ApiError
from gateway.http.json_bodies import PUBLISH_LIMIT_VALUES
from receivers.protobuf_bodies import _messages_at_most, parsed
from receivers.protobuf_messages import LogsRequest, PushRequest

SIZE_BYTES = 4 * 1024 * 1024 - 100
MEBIBYTE = 1024 * 1024


def field(number: int, content: bytes, *, overlong: bool = False) -> bytes:
    """A field of bytes, as its message holds it; its number in two bytes where one would do."""
    tag = bytes([number << 3 | 2 | 0x80, 0]) if overlong else bytes([number << 3 | 2])
    size, length = len(content), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return tag + length + bytes([size]) + content


RECORDS = field(1, field(2, field(2, b"") * (SIZE_BYTES // 2)))
DEAR = {
    "records": RECORDS,
    "records, with long tags": field(1, field(2, field(2, b"", overlong=True) * (SIZE_BYTES // 3))),
    "attributes": field(1, field(2, field(2, field(6, b"") * (SIZE_BYTES // 2)))),
    "values": field(1, field(2, field(2, field(5, field(5, field(1, b"") * (SIZE_BYTES // 2)))))),
    "resources": field(1, b"") * (SIZE_BYTES // 2),
}


class NeverParsed:
    DESCRIPTOR = LogsRequest.DESCRIPTOR

    @staticmethod
    def FromString(body: bytes) -> None:  # noqa: N802 - as protobuf calls it
        raise AssertionError(f"{len(body)} bytes are parsed")


@pytest.mark.parametrize("kind", DEAR)
def test_many_small_messages_are_refused_before_they_are_parsed(kind: str) -> None:
    with pytest.raises(ApiError) as refused:
        # Parsed, they are 90 to 270 MiB.
        parsed(NeverParsed, DEAR[kind])
    assert refused.value.reason == "payload_too_large"
    assert f"{PUBLISH_LIMIT_VALUES} fields" in refused.value.title


def test_a_push_of_many_empty_entries_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        parsed(PushRequest, field(1, field(2, b"") * (SIZE_BYTES // 2)))
    assert refused.value.reason == "payload_too_large"


def test_the_limit_is_exact_where_bytes_of_texts_look_like_messages() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for _ in range(100):
        scope.log_records.add().body.string_value = "\n\x12\x1a*2" * 1000
    body = request.SerializeToString()
    assert sum(map(body.count, b"\n\x12\x1a*2")) > PUBLISH_LIMIT_VALUES
    assert len(parsed(LogsRequest, body).resource_logs[0].scope_logs[0].log_records) == 100
    # One resource, one scope, and of each record itself, its body and the text of that.
    assert parsed(LogsRequest, body, limit_fields=302).ByteSize() == len(body)
    with pytest.raises(ApiError):
        parsed(LogsRequest, body, limit_fields=301)


@pytest.mark.parametrize(
    "body",
    [b"\x0a", b"\x0a\x05abc", b"\x0f\x00", b"\xff" * 11, field(1, b"\x0a\x7f"), RECORDS[:-1], b"{}", b"\x00"],
    ids=range(8),
)
@pytest.mark.parametrize(
    "before", [b"", field(1, field(2, field(2, field(5, field(1, b"\n" * 101_000)))))], ids=["alone", "counted"]
)
def test_what_is_no_such_message_is_refused(body: bytes, before: bytes) -> None:
    """Also where fields are counted one by one, because a text looks like messages."""
    assert (_messages_at_most(before) > PUBLISH_LIMIT_VALUES) == bool(before)
    with pytest.raises(ApiError) as refused:
        parsed(LogsRequest, before + body)
    assert (refused.value.reason, refused.value.status) == ("bad_request", 400)


def test_what_is_nested_deep_is_refused() -> None:
    value = b""
    for _ in range(200):
        value = field(5, field(1, value))
    with pytest.raises(ApiError) as refused:
        parsed(LogsRequest, field(1, field(2, field(2, field(5, value)))))
    assert refused.value.reason == "bad_request"


def test_fields_that_are_not_known_are_passed_over() -> None:
    known = field(1, field(2, field(2, field(5, field(1, b"a body")))))
    found = parsed(LogsRequest, known + b"\x78\x05" + field(100 // 8, b"x") + b"\x7d1234")
    assert found.resource_logs[0].scope_logs[0].log_records[0].body.string_value == "a body"
