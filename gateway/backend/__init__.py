"""FROM GATEWAY TO BACKEND: the client of an installation in two halves, with a breaker, service tokens, and who asked.

`client` asks the backend for operator_api.http. `bounded_client` is below it, and below the client of the chat's
assistant. See ADR 10.
"""
