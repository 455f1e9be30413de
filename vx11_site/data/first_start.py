"""What a first start meets: a database or a port that is not as it must be. One sentence each, and what to do."""

import errno
import socket
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader

NEWER_NAMED = 3
# Why a file cannot be read at all; messages of SQLite.
_DAMAGE = ("file is not a database", "malformed", "file is encrypted")
_NO_ACCESS = ("unable to open database file", "readonly database", "attempt to write a readonly")


def sqlite_repair(error: Exception, path: Path) -> str:
    """What to do about an error of SQLite, if that is known; "" otherwise."""
    text = str(error).lower()
    if any(part in text for part in _DAMAGE):
        return (
            f"{path} is damaged, or no database. "
            "Put a backup in its place (manage.py restore FILE), or move it away to begin anew."
        )
    if any(part in text for part in _NO_ACCESS):
        return f"{path} cannot be written by this user. Let its owner run this, or name another folder: VX11_DATA_DIR."
    return ""


def database_problem() -> str:
    """Why this database is not to be brought up to date; "" if it may be. Raises what the database does."""
    tables = set(connection.introspection.table_names())
    if tables and "django_migrations" not in tables:
        return (
            f"The database holds tables of another program ({sorted(tables)[0]}). "
            "Name another one: VX11_DATABASE_URL, or VX11_DATA_DIR for SQLite."
        )
    loader = MigrationLoader(connection)
    newer = sorted(".".join(name) for name in set(loader.applied_migrations) - set(loader.graph.nodes))
    newer = [name for name in newer if name.partition(".")[0] in loader.migrated_apps]
    # A migration that was squashed is no longer in the graph, and its replacement is.
    replaced = {".".join(old) for migration in loader.disk_migrations.values() for old in migration.replaces}
    if unknown := [name for name in newer if name not in replaced]:
        return (
            f"The database is of a newer version of this program ({', '.join(unknown[:NEWER_NAMED])}). "
            "Start that version, or name another database."
        )
    return ""


def address_problem(host: str, port: int) -> str:
    """Why a server cannot listen there; "" if it can."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, OverflowError):
        return f"{host} is no address of this machine. 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses."
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as tried:
        # As the server does: what waits for its end there is no hindrance.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except OSError as error:
            return _binding_problem(error, host, port)
    return ""


def _binding_problem(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use by another program. Choose another one: --port, or PORT of `make run`."
    if error.errno == errno.EACCES:
        return f"Only root may listen on port {port}. Choose one from 1024: --port, or PORT of `make run`."
    return f"The server cannot listen on port {port} of {host}: {error.strerror}."


def sqlite_path() -> Path | None:
    """The file of the database; None with PostgreSQL."""
    return Path(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else None
