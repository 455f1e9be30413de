"""Webhooks of Prometheus' Alertmanager: an event for each alert that fires or is resolved. Pure: no I/O."""

from typing import Any

from gateway.http.errors import ApiError
from receivers.intake import Received, Sender, first_text, id_of, refuse_many
from receivers.json_documents import media_type_of, read_exact_json
from vx11_client.lines.moments import Clock
from vx11_client.lines.plain_text import storable, summary_of
from vx11_client.lines.severity_words import severity_of_word
from vx11_client.lines.time_forms import moment_of_text

FORMAT_VERSION = "4"
FIRING, RESOLVED = "firing", "resolved"
# Labels and annotations that people use, the best one first.
SEVERITY_LABELS = ("severity", "level", "priority")
SUMMARY_ANNOTATIONS = ("summary", "title", "message", "description")
MODULE_LABELS = ("module", "service", "app", "job")
# Words of alerts beside those of loggers.
_WORDS = {"page": "critical", "major": "error", "minor": "warn", "none": "info", "high": "error", "low": "info"}
# What an alert without a level is: it asks for attention.
DEFAULT_SEVERITY = "warn"
# Of the notification, what each of its alerts keeps.
GROUP_FIELDS = (
    "receiver",
    "groupKey",
    "groupLabels",
    "commonLabels",
    "commonAnnotations",
    "externalURL",
    "truncatedAlerts",
)
NAMED_LABELS = 3

Fields = dict[str, Any]


def read_alerts(body: bytes, content_type: str, sender: Sender) -> Received:
    """The events of a notification. Raises ApiError."""
    if media_type_of(content_type) != "application/json":
        raise ApiError("unsupported_media_type", title="Alertmanager sends application/json.")
    found = read_exact_json(body)
    if not isinstance(found, dict) or found.get("version") != FORMAT_VERSION:
        raise ApiError(
            "validation_error", errors={"version": [f'only version "{FORMAT_VERSION}" of the webhook is taken']}
        )
    alerts = found.get("alerts")
    if not isinstance(alerts, list):
        raise ApiError("validation_error", errors={"alerts": ["must be a list"]})
    refuse_many(len(alerts))
    group = {name: storable(found[name]) for name in GROUP_FIELDS if name in found}
    received = Received()
    for index, alert in enumerate(alerts):
        if problems := _problems(alert):
            raise ApiError("validation_error", errors={f"alerts[{index}]": problems})
        alert = {name: storable(value) for name, value in alert.items()}
        # An alert that fires again has another start; one that is sent again has the same.
        event_id = id_of("am", _fingerprint(alert), alert["startsAt"], alert["status"])
        received.add_repeatable(_mapped(alert, group) | _module(alert, sender), event_id, sender)
    return received


def _problems(alert: object) -> list[str]:
    if not isinstance(alert, dict):
        return ["must be an object"]
    found = [] if alert.get("status") in (FIRING, RESOLVED) else [f"status is {FIRING} or {RESOLVED}"]
    found += [] if isinstance(alert.get("startsAt"), str) else ["startsAt is a time"]
    return found + [
        f"{name} is an object" for name in ("labels", "annotations") if not isinstance(alert.get(name, {}), dict)
    ]


def _fingerprint(alert: Fields) -> str:
    """What names the alert: Alertmanager's own digest of its labels; older ones send none."""
    given = alert.get("fingerprint")
    if isinstance(given, str) and given:
        return given
    return "\n".join(f"{name}={value}" for name, value in sorted(alert.get("labels", {}).items()))


def _mapped(alert: Fields, group: Fields) -> Fields:
    labels, annotations = alert.get("labels", {}), alert.get("annotations", {})
    is_firing = alert["status"] == FIRING
    name = first_text([labels.get("alertname")]) or "alert"
    text = first_text(annotations.get(key) for key in SUMMARY_ANNOTATIONS) or _named_by_labels(labels)
    event: Fields = {
        "event_type": f"alert.{alert['status']}",
        "summary": summary_of(f"{name}: {text}" if text and name not in text else text or name),
        "severity": _severity(labels) if is_firing else "info",
        "payload": {**alert, "group": group},
    }
    moment = moment_of_text(str(alert["startsAt"] if is_firing else alert.get("endsAt", ""))[:64], Clock())
    return event | ({"occurred_at": moment.isoformat()} if moment else {})


def _severity(labels: Fields) -> str:
    for name in SEVERITY_LABELS:
        word = labels.get(name)
        if isinstance(word, str) and (found := _WORDS.get(word.lower()) or severity_of_word(word)):
            return found
    return DEFAULT_SEVERITY


def _named_by_labels(labels: Fields) -> str:
    """Where an alert without text comes from: its first labels."""
    named = [f"{name}={value}" for name, value in labels.items() if name not in ("alertname", *SEVERITY_LABELS)]
    return ", ".join(named[:NAMED_LABELS])


def _module(alert: Fields, sender: Sender) -> Fields:
    labels = alert.get("labels", {})
    return sender.module_of(*(labels.get(name) for name in MODULE_LABELS))
