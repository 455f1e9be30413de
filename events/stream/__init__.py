"""WHO RECEIVES IT? Streams: from a commit, here or in another process, to the bytes at each reader.

`relay` finds every event, `hub` hands it to the subscribers, `stream` is one reader's life, `transport` its socket.
`consumer` is the ASGI application. Reads the log through its door alone. See "Fan-out" in docs/architecture.md.
"""
