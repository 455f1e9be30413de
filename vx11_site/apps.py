"""Loaded before every other app: it keeps out what libraries load only because it is installed.

Each of these is here for another reason (psycopg for PostgreSQL, requests for Apprise), and is loaded when that comes.
A server that has no use for them starts with a fifth less CPU and rests in 22 MB less: 103 MB instead of 125, with the
packages of requirements.lock on SQLite.
"""

import contextlib
import sys
from collections.abc import Iterator

from django.apps import AppConfig

from vx11_site.server import no_autobahn

# What rest_framework.compat looks for: fields of PostgreSQL, which bring psycopg, and what its browsable pages need.
NOT_FOR_REST_FRAMEWORK = ("django.contrib.postgres", "requests", "markdown", "pygments")


class SiteConfig(AppConfig):
    name = "vx11_site"


@contextlib.contextmanager
def kept_out(names: tuple[str, ...]) -> Iterator[None]:
    """Importing one of these fails meanwhile, as if it were not installed; one that is loaded already stays."""
    names = tuple(name for name in names if name not in sys.modules)
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None is Python's mark for it
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


with kept_out(NOT_FOR_REST_FRAMEWORK):
    import rest_framework.compat  # noqa: F401 - for what it does not load
# Daphne's WebSocket: here the handshake is an ordinary request (vx11_site/server/sockets.py).
sys.modules.setdefault("daphne.ws_protocol", no_autobahn)
