"""Senders and requests of the unit tests."""

from typing import Any

from gateway.identity.principals import Principal
from receivers.intake import Sender

CORRELATION_ID = "request-1"
Json = dict[str, Any]


def sender(*, any_module: bool = False) -> Sender:
    """With a token of the module `shop`, or with one of every module, whose own is `own`."""
    scopes = frozenset({"events:publish"})
    publishes_for, default_module = (None, "own") if any_module else ("shop", "shop")
    principal = Principal("pub", "service", "test", scopes, publishes_for=publishes_for, default_module=default_module)
    return Sender(principal, CORRELATION_ID)


def logs_json(*records: Json, service_name: str = "shop") -> Json:
    """An export request of OpenTelemetry as JSON."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service_name}}]}
    return {
        "resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {"name": "app"}, "logRecords": [*records]}]}]
    }


RECORD: Json = {
    "timeUnixNano": "1780000000123456789",
    "observedTimeUnixNano": "1780000000223456789",
    "severityNumber": 17,
    "severityText": "Error",
    "body": {"stringValue": "payment failed"},
    "attributes": [
        {"key": "order", "value": {"intValue": "4711"}},
        {"key": "share", "value": {"doubleValue": 0.25}},
        {"key": "final", "value": {"boolValue": True}},
        {"key": "tries", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "two"}]}}},
        {"key": "who", "value": {"kvlistValue": {"values": [{"key": "name", "value": {"stringValue": "Ana"}}]}}},
        {"key": "raw", "value": {"bytesValue": "AP8="}},
    ],
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "flags": 1,
}
