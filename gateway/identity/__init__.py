"""WHO IS IT? Principals and what they may, tickets, console sessions, and the audit of all of it.

`principals.directory` answers for a token, a session or a ticket; `tickets` are issued and redeemed here. What is no
good raises `InvalidCredential`, which gateway.http turns into a 401. Knows no HTTP; used by gateway.http, gateway.jobs,
the admin and every floor above. See "Identity" in docs/architecture.md.
"""
