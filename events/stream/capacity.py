"""How many connections and streams one process takes, so that it never runs out of files."""

import resource

from django.conf import settings

# Files for everything that is no connection: database, Redis, logs, the event loop, and some to spare.
FILES_RESERVED = 64
# Connections that are accepted only to be answered that there is no room.
OVERFLOW_CONNECTIONS = 32
# Connections that streams leave to ordinary requests.
REQUESTS_RESERVED = 32


def connection_limit() -> int:
    """How many connections the limit on open files has room for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        files = 1_000_000
    return max(1, files - FILES_RESERVED - OVERFLOW_CONNECTIONS)


def stream_limit() -> int:
    """How many streams may be open in this process."""
    by_files = max(1, connection_limit() - REQUESTS_RESERVED)
    return min(settings.MAX_STREAMS, by_files) if settings.MAX_STREAMS else by_files
