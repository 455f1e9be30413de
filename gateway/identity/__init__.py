"""WHO IS IT? Principals and what they may, tickets, console sessions, and the audit of all of it.

`principals.the directory` answers for a token, a session or a ticket; `tickets` are issued and redeemed here; every
refusal is a `Refused` that becomes a 401 in gateway.http. Used by every floor above, and by gateway.http, gateway.jobs
and the admin; it knows no HTTP. See "Identity" in docs/architecture.md.
"""
