"""WHO IS IT? Principals and what they may, tickets, console sessions, and the audit of all of it.

`principals.directory` finds the principal of a token, a session or a ticket; `tickets` are issued and redeemed here. A
credential that is not valid raises `InvalidCredential`, which gateway.http turns into a 401. Knows no HTTP; used by
gateway.http, gateway.jobs, the admin and every app above. See "Identity" in docs/architecture.md.
"""
