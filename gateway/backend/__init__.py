"""FROM GATEWAY TO BACKEND: the client of an installation in two halves, with a breaker, service tokens, and who asked.

Only gateway.http.rest and vx11_site use it. See ADR 10.
"""
