"""Notifications of Alertmanager: an event for each alert and each change of its status."""

import json
from typing import Any

import pytest

from events.log import NewEvent
from gateway.http.errors import ApiError
from receivers.alertmanager import read_alerts
from tests.receivers.samples import sender

JSON = "application/json"
Json = dict[str, Any]
ALERT: Json = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "severity": "critical", "instance": "h1:9100", "job": "node"},
    "annotations": {"summary": "The disk of h1 is full", "description": "More of it."},
    "startsAt": "2026-05-28T20:26:40.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph?g0.expr=x",
    "fingerprint": "d05a6d9b1f3c5e77",
}
GROUP: Json = {
    "version": "4",
    "groupKey": '{}:{alertname="DiskFull"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "vx11",
    "groupLabels": {"alertname": "DiskFull"},
    "commonLabels": {"job": "node"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager",
}


def read(*alerts: Json, any_module: bool = False) -> list[NewEvent]:
    return read_alerts(json.dumps(GROUP | {"alerts": alerts}).encode(), JSON, sender(any_module=any_module)).events


def refusal(found: object, content_type: str = JSON) -> ApiError:
    with pytest.raises(ApiError) as refused:
        read_alerts(json.dumps(found).encode(), content_type, sender())
    return refused.value


def test_a_firing_alert_is_an_event() -> None:
    (event,) = read(ALERT)
    assert (event.event_type, event.severity, event.module) == ("alert.firing", "critical", "shop")
    assert event.summary == "DiskFull: The disk of h1 is full"
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-05-28T20:26:40.123000+00:00"
    group = {name: value for name, value in GROUP.items() if name not in ("version", "status")}
    assert json.loads(event.payload) == ALERT | {"group": group}


def test_a_resolved_alert_is_another_event_of_no_urgency() -> None:
    resolved = ALERT | {"status": "resolved", "endsAt": "2026-05-28T21:00:00Z"}
    firing, event = read(ALERT, resolved)
    assert (event.event_type, event.severity) == ("alert.resolved", "info")
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-05-28T21:00:00+00:00"
    assert event.event_id != firing.event_id


def test_what_is_sent_again_is_the_same_event_and_what_fires_again_is_not() -> None:
    # Alertmanager repeats what still fires, with texts and ends that may have changed.
    changed = ALERT | {"endsAt": "2026-05-28T23:00:00Z", "annotations": {"summary": "91 % full"}}
    first, again, later, other = read(
        ALERT, changed, ALERT | {"startsAt": "2026-05-29T20:26:40Z"}, ALERT | {"fingerprint": "0000000000000001"}
    )
    assert (first.event_id, first.fingerprint) == (again.event_id, again.fingerprint)
    assert len({first.event_id, later.event_id, other.event_id}) == 3


def test_without_a_fingerprint_the_labels_name_the_alert() -> None:
    bare = {name: value for name, value in ALERT.items() if name != "fingerprint"}
    turned = bare | {"labels": dict(reversed(ALERT["labels"].items()))}
    first, same, other = read(bare, turned, bare | {"labels": {"alertname": "Other"}})
    assert first.event_id == same.event_id != other.event_id


@pytest.mark.parametrize(
    ("labels", "severity"),
    [
        *(
            ({"severity": word}, severity)
            for word, severity in (("warning", "warn"), ("page", "critical"), ("info", "info"))
        ),
        *(({"severity": word}, severity) for word, severity in (("none", "info"), ("Error", "error"), ("P7", "warn"))),
        ({"level": "error"}, "error"),
        ({}, "warn"),
    ],
)
def test_the_severity_is_that_of_a_label(labels: Json, severity: str) -> None:
    assert read(ALERT | {"labels": labels})[0].severity == severity


@pytest.mark.parametrize(
    ("labels", "annotations", "summary"),
    [
        ({"alertname": "A"}, {"description": "a text"}, "A: a text"),
        ({"alertname": "A"}, {"title": "A is down"}, "A is down"),
        ({"alertname": "A", "severity": "page", "b": "1", "c": "2", "d": "3", "e": "4"}, {}, "A: b=1, c=2, d=3"),
        ({"alertname": "A"}, {}, "A"),
        ({}, {}, "alert"),
    ],
)
def test_the_summary_is_the_name_and_what_there_is_of_text(labels: Json, annotations: Json, summary: str) -> None:
    assert read(ALERT | {"labels": labels, "annotations": annotations})[0].summary == summary


def test_a_token_of_every_module_takes_a_label() -> None:
    assert read(ALERT, any_module=True)[0].module == "node"


@pytest.mark.parametrize(
    "alert",
    [
        *(1, ALERT | {"status": "pending"}, ALERT | {"status": None}, ALERT | {"startsAt": 7}, ALERT | {"labels": []}),
        ALERT | {"annotations": "x"},
    ],
)
def test_an_alert_that_is_none_is_named_and_nothing_is_taken(alert: object) -> None:
    refused = refusal(GROUP | {"alerts": [ALERT, alert]})
    assert (refused.status, list(refused.errors or {})) == (422, ["alerts[1]"])


@pytest.mark.parametrize(
    "found", [[], {}, GROUP | {"version": "3", "alerts": []}, GROUP | {"version": 4, "alerts": []}]
)
def test_another_version_is_refused(found: object) -> None:
    assert list(refusal(found).errors or {}) == ["version"]


def test_a_notification_without_a_list_is_refused() -> None:
    assert list(refusal(GROUP).errors or {}) == ["alerts"]


def test_other_types_are_refused() -> None:
    assert refusal(GROUP, "text/plain").reason == "unsupported_media_type"
