"""WHO CALLS, AND MAY THEY? Tokens, tickets, principals, and the edge that every request passes.

See "Identity", "Requests" and "Limits" in docs/architecture.md. The modules at the top belong to every room: values
that import nothing of ours, and what Django expects at an app's top (models, signals, apps).
"""
