"""HOW DO OTHER PROGRAMS' SENDERS GET THEIR EVENTS IN? Addresses that take the formats of common shippers as they are.

A receiver reads a request in its sender's format (`otlp`, `loki`, `cloud_events`, `alertmanager`, `json_lines`,
`webhooks`), maps it by the one mapping of `vx11_client`, and publishes it as `POST events` does: the same tokens,
limits and rates, one transaction, durable before the answer. `http` answers in the sender's own format. Other rooms
call nothing here; the URLs of the public edge include `http.urls`. See "Receivers" in docs/architecture.md.
"""
