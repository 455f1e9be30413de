"""The server that is measured: `manage.py serve` as users start it, with a data folder and tokens of its own."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import POSTGRES_PLACES, PrivatePostgres, RunningServer

# A principal may have 1000 streams and 100 tickets a second.
PRINCIPALS = 20


@dataclass(frozen=True)
class Target:
    """Where the load goes, and the process whose CPU it costs."""

    port: int
    pid: int
    # Several, because the number of streams is limited for each.
    principal_tokens: tuple[str, ...]
    service_token: str

    @property
    def principal_token(self) -> str:
        """For those who need only one."""
        return self.principal_tokens[0]


@contextmanager
def serving(*, database_url: str = "") -> Iterator[Target]:
    """One process, embedded; on SQLite unless a PostgreSQL database is given."""
    with running(database_url=database_url) as (_, target):
        yield target


@contextmanager
def running(*, database_url: str = "") -> Iterator[tuple[RunningServer, Target]]:
    """The same, for those who stop and start the server."""
    principal_tokens = tuple(f"bench-principal-{secrets.token_hex(16)}" for _ in range(PRINCIPALS))
    service_token = f"bench-service-{secrets.token_hex(16)}"
    environment = {
        "VX11_PRINCIPAL_TOKEN": ",".join(principal_tokens),
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
            yield server, Target(server.port, server.pid, principal_tokens, service_token)
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
