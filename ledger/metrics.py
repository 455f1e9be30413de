"""What the writer does. docs/metrics.md explains it."""

from prometheus_client import Counter, Gauge, Histogram

WAITING_ROWS = Gauge("vx11_writer_waiting_rows", "Rows handed to the writer that are in no transaction yet.")
BATCH_SECONDS = Histogram(
    "vx11_writer_batch_seconds",
    "One transaction of the writer, from its begin to its commit.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
FAILED_WRITES = Counter("vx11_writer_failed_writes_total", "Writes that the database did not take.")
LOST_ROWS = Counter("vx11_writer_lost_rows_total", "Rows written behind that were dropped or not taken.")
