"""WHO WANTS TO KNOW? Watches: a query, a condition, and who is notified when the condition becomes true.

`evaluation` reads the log once in the cluster and writes what fired; `delivery` sends notices, and batches of events to
webhooks; `http`, `admin` and the command `watches` are for people. The server starts `Watching` and `Delivering`.
See "Watches" in docs/architecture.md, docs/watches.md and ADR 23.
"""
