"""WHAT PROCESSES SHARE: tickets, rates and leases, in Redis or, where there is none, in this process.

Every way to ask goes through `store.ask`, which waits no longer than it may and raises `StoreUnavailable`. See
"Limits" in docs/architecture.md and ADR 7.
"""
