"""Counters and gauges of streams, of the relay and of the log. docs/metrics.md explains them."""

from prometheus_client import Counter, Gauge, Histogram

EVENT_COUNTS = (0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
OPENING_BUCKETS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
DELIVERY_BUCKETS_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

STREAMS_BY_TICKET = Counter("vx11_operator_sse_connections_ephemeral_total", "Streams opened with a ticket.")
STREAMS_BY_TOKEN = Counter("vx11_operator_sse_connections_principal_total", "Streams opened with a principal token.")
STREAMS_BY_SOCKET = Counter("vx11_streams_by_socket_total", "Streams opened over WebSocket; the others are SSE.")
STREAMS_IN_URL = Counter(
    "vx11_operator_sse_connections_in_url_total",
    "Streams refused because a long-lived token stood in the URL, by whether it is valid.",
    ["token"],
)
STREAMS_ACTIVE = Gauge("vx11_streams_active", "Open streams of this process.")
STREAMS_OPENED = Counter("vx11_streams_opened_total", "Streams opened, by where reading began.", ["start"])
STREAM_OPEN_SECONDS = Histogram(
    "vx11_stream_open_seconds",
    "From the request for a stream to its first byte, in seconds.",
    buckets=OPENING_BUCKETS_SECONDS,
)
TICKET_TO_FIRST_BYTE_SECONDS = Histogram(
    "vx11_sse_token_to_first_byte_seconds",
    "From the issue of a ticket to the first byte of the stream that it opened, in seconds.",
    buckets=(*OPENING_BUCKETS_SECONDS, 30, 60),
)
STREAMS_ENDED = Counter("vx11_streams_ended_total", "Streams that ended, by reason.", ["reason"])
STREAMS_RESET = Counter("vx11_streams_reset_total", "Resets sent to readers, by reason.", ["reason"])
REPLAYED_EVENTS = Histogram(
    "vx11_stream_replay_events", "Events a stream was given before it was live.", buckets=EVENT_COUNTS
)
SLOW_READERS = Gauge("vx11_stream_slow_readers", "Streams whose reader does not take what was written.")
PENDING_BYTES = Gauge("vx11_stream_pending_bytes", "What is held for slow readers, as of the last second.")
FELL_BEHIND = Counter("vx11_stream_fell_behind_total", "Times a live stream had to read on from its cursor.")
DRAINING = Gauge("vx11_draining", "1 while this process ends its streams before it stops.")
DRAIN_STREAMS_LEFT = Gauge("vx11_drain_streams_left", "Streams that a drain has not ended yet.")

EVENTS_PUBLISHED = Counter("vx11_events_published_total", "Events appended to the log by this process.")
EVENTS_SENT = Counter("vx11_events_sent_total", "Events written to streams that have ended.")
PUBLISH_TO_WRITE_SECONDS = Histogram(
    "vx11_publish_to_write_seconds",
    "From an event's created_at to the end of its write to every live stream; the oldest event of each write.",
    buckets=DELIVERY_BUCKETS_SECONDS,
)

SEARCH_SECONDS = Histogram(
    "vx11_search_seconds",
    "From the question to its answer, of searches by queries and in windows of time.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
SEARCH_ROWS = Counter("vx11_search_rows_read_total", "Rows that searches read or passed over.")
SEARCHES_PARTIAL = Counter("vx11_searches_partial_total", "Searches that ended before they were complete.")

RELAY_LAG_EVENTS = Gauge("vx11_relay_lag_events", "How far the relay was behind the log at its last comparison.")
COMPARED_AT = Gauge("vx11_relay_looked_timestamp_seconds", "When the relay last compared itself with the log's head.")
GAPS_FOUND = Counter("vx11_relay_gaps_found_total", "Times the relay found that it had not received events.", ["by"])
GAPS_HEALED = Counter("vx11_relay_gaps_healed_total", "Times it read what was missing from the log.")
RESUBSCRIPTIONS = Counter("vx11_relay_resubscriptions_total", "Times the channel layer was joined anew.")
UNSENT_MESSAGES = Counter("vx11_relay_untold_total", "Messages to other processes that were dropped or failed.")
LOG_HEAD = Gauge("vx11_log_head_seq", "Seq of the newest event, as of the last comparison.")
LOG_RETENTION_ROWS = Gauge("vx11_log_retention_rows", "How many events are kept at the most, by the settings.")
LOG_OLDEST = Gauge("vx11_log_oldest_seq", "Seq of the oldest event that is still served, as of the last comparison.")

# From zero on, so that the first one is an increase for those who watch.
for _reason in ("expired", "epoch", "unknown"):
    STREAMS_RESET.labels(_reason)
for _by in ("message", "look"):
    GAPS_FOUND.labels(_by)
STREAMS_ENDED.labels("slow_consumer")
for _token in ("valid", "unknown"):
    STREAMS_IN_URL.labels(_token)

INDEX_LAG_EVENTS = Gauge("vx11_search_index_lag_events", "Events of the log that the search index does not hold yet.")
INDEX_LAG_SECONDS = Gauge(
    "vx11_search_index_lag_seconds", "For how long the search index has not held the newest event, as of the last look."
)
INDEX_BYTES = Gauge("vx11_search_index_bytes", "Size of the search index, where this process writes it.")
INDEX_FAILING = Gauge("vx11_search_index_failing", "1 while this process cannot write or read the search index.")
INDEX_BEGUN = Counter("vx11_search_index_begun_total", "Times the search index was begun anew, by reason.", ["reason"])

for _reason in ("new", "epoch", "expired", "damaged"):
    INDEX_BEGUN.labels(_reason)
