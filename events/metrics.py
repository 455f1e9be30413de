"""Counters and gauges of streams and of the log."""

from prometheus_client import Counter, Gauge

STREAMS_BY_TICKET = Counter("vx11_operator_sse_connections_ephemeral_total", "Streams opened with a ticket.")
STREAMS_BY_TOKEN = Counter("vx11_operator_sse_connections_principal_total", "Streams opened with a principal token.")
STREAMS_ACTIVE = Gauge("vx11_streams_active", "Open streams of this process.")
STREAMS_ENDED = Counter("vx11_streams_ended_total", "Streams that ended, by reason.", ["reason"])
EVENTS_PUBLISHED = Counter("vx11_events_published_total", "Events appended to the log by this process.")
EVENTS_SENT = Counter("vx11_events_sent_total", "Events written to streams.")
