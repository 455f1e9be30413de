"""HOW ARE EVENTS SENT, EACH ONCE? Batches, retries and receipts, queues with limits; in threads and on event loops."""
