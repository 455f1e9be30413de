"""Metrics of tickets, refusals, limits and chores, under the names that existing dashboards query."""

from prometheus_client import Counter, Gauge, Histogram

TICKETS_ISSUED = Counter("vx11_sse_token_issued_total", "Tickets issued.")
TICKETS_ISSUED_ALIAS = Counter("vx11_operator_ephemeral_tokens_issued_total", "Tickets issued.")
TICKET_ERRORS = Counter("vx11_sse_token_issued_errors_total", "Tickets that could not be issued.")
TICKET_LATENCY = Histogram(
    "vx11_sse_token_issuance_latency_ms",
    "Time to issue a ticket, audit row committed, in milliseconds.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
)
TICKETS_STORED = Gauge(
    "vx11_ephemeral_token_cache_size_entries", "Valid tickets in the store that all processes share."
)
TICKETS_ACTIVE = Gauge("vx11_operator_ephemeral_tokens_active", "Valid tickets in the store that all processes share.")
TICKETS_INVALID = Counter("vx11_operator_ephemeral_tokens_invalid_total", "Tickets refused at the stream.")
TICKETS_UNUSED = Counter(
    "vx11_sse_token_expired_unused_total", "Tickets of this process that ended without having opened a stream."
)
TICKET_REDEEM_SECONDS = Histogram(
    "vx11_sse_token_redeem_seconds",
    "From the issue of a ticket to its use, in seconds.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
AUTH_FAILURES = Counter("vx11_sse_auth_failures_total", "Invalid credentials, by reason.", ["reason"])
PRINCIPALS_INVALID = Counter("vx11_principal_token_invalid_total", "Invalid principal and service tokens.")
FORWARDED = Counter("vx11_forwarded_total", "Requests for the backend, by outcome.", ["outcome"])
FORWARD_SECONDS = Histogram(
    "vx11_forward_seconds",
    "Time to the backend's response, or until the gateway gave up, in seconds.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4),
)
BACKEND_AWAY = Gauge(
    "vx11_backend_away", "1 while the breaker sends no requests to the backend, because it failed too often."
)
LIMITED = Counter("vx11_limited_total", "Requests answered 429, by the limit that they exceeded.", ["limit"])
ENVIRONMENT_TOKENS_MISSING = Gauge(
    "vx11_environment_tokens_missing", "Valid tokens that the environment gave to other processes and not to this one."
)
CHORES_ENDED = Counter("vx11_chores_ended_total", "Chores that this process ran, by outcome.", ["chore", "outcome"])
CHORE_DONE_AT = Gauge("vx11_chore_done_timestamp_seconds", "When this process last completed a chore.", ["chore"])

# Exported from the start with the value 0, so that the first refusal is an increase.
for _reason in ("main_auth_failed", "invalid_token", "token_in_query"):
    AUTH_FAILURES.labels(_reason)
FORWARDED.labels("token_refused")
