"""The server that is measured: `manage.py serve` as users start it, with a data folder and tokens of its own."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import POSTGRES_PLACES, PrivatePostgres, RunningServer


@dataclass(frozen=True)
class Target:
    """Where the load goes, and the process whose CPU it costs."""

    port: int
    pid: int
    principal_token: str
    service_token: str


@contextmanager
def serving(*, database_url: str = "") -> Iterator[Target]:
    """One process, embedded; on SQLite unless a PostgreSQL database is given."""
    principal_token, service_token = (f"bench-{kind}-{secrets.token_hex(16)}" for kind in ("principal", "service"))
    environment = {
        "VX11_PRINCIPAL_TOKEN": principal_token,
        "VX11_SERVICE_TOKEN": service_token,
        "VX11_LOG_LEVEL": "WARNING",
    }
    if database_url:
        environment |= {"VX11_DATABASE_URL": database_url, "VX11_SECRET_KEY": secrets.token_urlsafe(64)}
    with tempfile.TemporaryDirectory(prefix="vx11-bench-") as folder:
        server = RunningServer(Path(folder), environment)
        server.manage("migrate", "--no-input")
        try:
            server.start()
            yield Target(server.port, server.pid, principal_token, service_token)
        finally:
            if server.running:
                server.stop()


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database in a private PostgreSQL that does not cut corners: fsync is on."""
    with PrivatePostgres(durable=True) as postgres:
        yield postgres.create_database("bench")


def postgres_program() -> Path | None:
    """PostgreSQL's server program, None when it is not installed."""
    return next((place / "postgres" for place in POSTGRES_PLACES if (place / "postgres").exists()), None)
