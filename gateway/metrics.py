"""Counters of tickets and refusals, under the names that dashboards in the field query."""

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
AUTH_FAILURES = Counter("vx11_sse_auth_failures_total", "Refused credentials, by reason.", ["reason"])
PRINCIPALS_INVALID = Counter("vx11_principal_token_invalid_total", "Refused principal and service tokens.")
LIMITED = Counter("vx11_limited_total", "Requests answered 429, by what there was too much of.", ["limit"])
