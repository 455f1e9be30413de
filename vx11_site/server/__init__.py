"""HOW IS IT SERVED? Daphne with what it lacks for streams: limits, bounded writes, drains, an access log.

`daphne` is the server, `http1` one request, `channel` one connection, `response_writer` what a stream writes to.
See "The server" in docs/architecture.md and ADR 5.
"""
