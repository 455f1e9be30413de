"""Counters of what receivers took and refused. docs/metrics.md explains them."""

from prometheus_client import Counter

RECEIVERS = ("ndjson", "otlp", "loki", "cloudevents", "alertmanager", "webhook")

RECEIVED_EVENTS = Counter(
    "vx11_received_events_total", "Events that receivers appended to the log, by receiver.", ["receiver"]
)
REJECTED_RECORDS = Counter(
    "vx11_received_records_rejected_total",
    "Records that say nothing, and were left out of requests that were taken, by receiver.",
    ["receiver"],
)
REFUSED_REQUESTS = Counter(
    "vx11_received_requests_refused_total",
    "Requests that receivers refused, by receiver and reason.",
    ["receiver", "reason"],
)

# From zero on, so that the first one is an increase for those who watch.
for _receiver in RECEIVERS:
    RECEIVED_EVENTS.labels(_receiver)
    REJECTED_RECORDS.labels(_receiver)
