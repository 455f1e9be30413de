"""Counters and gauges of watches. docs/metrics.md explains them."""

from prometheus_client import Counter, Gauge, Histogram

LAG_SECONDS = Gauge(
    "vx11_watches_lag_seconds",
    "For how long watches have not been evaluated up to the newest event, as of the last look.",
)
LAG_EVENTS = Gauge("vx11_watches_lag_events", "Events of the log that watches have not been evaluated for yet.")
FAILING = Gauge("vx11_watches_failing", "1 while this process cannot evaluate watches.")
EVALUATED = Counter("vx11_watches_events_evaluated_total", "Events that this process evaluated watches for.")
STEP_SECONDS = Histogram(
    "vx11_watches_step_seconds",
    "One step of evaluation, from reading events to its commit.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
WRITE_SECONDS = Histogram(
    "vx11_watches_write_seconds",
    "Of one step of evaluation, the part that is written while what is published waits.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
FIRINGS = Counter("vx11_watch_firings_total", "Times that watches fired, written by this process.")
STOPPED = Counter("vx11_watches_stopped_total", "Watches that stopped, by why.", ["reason"])
RESETS = Counter("vx11_watches_reset_total", "Times that the log could not be read on from where it was.", ["reason"])

DELIVERIES = Counter("vx11_deliveries_total", "Attempts to send, by kind and outcome.", ["kind", "outcome"])
DELIVERY_SECONDS = Histogram(
    "vx11_delivery_seconds", "One attempt to send.", ["kind"], buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
)
DELIVERY_LAG_SECONDS = Gauge("vx11_delivery_lag_seconds", "For how long the oldest notice that is due has waited.")
DEAD_NOTICES = Gauge("vx11_notices_dead", "Notices that were not sent within a day, and wait for a person.")
DEAD_SUBSCRIPTIONS = Gauge("vx11_subscriptions_dead", "Webhooks that failed for a day, and wait for a person.")
SENDERS_STUCK = Gauge("vx11_senders_stuck", "Threads of this process that did not end in the time of their attempt.")

KINDS = ("notice", "webhook")
OUTCOMES = ("sent", "failed", "dead")
# From zero on, so that the first one is an increase for those who watch.
for kind in KINDS:
    for outcome in OUTCOMES:
        DELIVERIES.labels(kind, outcome)
for reason in ("owner", "query", "field"):
    STOPPED.labels(reason)
for reason in ("expired", "epoch", "unknown"):
    RESETS.labels(reason)
