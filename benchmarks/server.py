"""The server that is measured: `manage.py serve` as users start it, with a data folder and tokens of its own."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.servers import RunningServer
from tests.stores import POSTGRES_PLACES, PrivatePostgres, PrivateRedis

# A principal may have 1000 streams.
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
def running(
    *, database_url: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[tuple[RunningServer, Target]]:
    """The same, for those who stop and start the server, or have settings of their own."""
    with running_all(1, database_url=database_url, settings=environment or {}) as [pair]:
        yield pair


@contextmanager
def running_all(
    processes: int, *, database_url: str = "", redis_url: str = "", settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[list[tuple[RunningServer, Target]]]:
    """So many that share a database, a Redis and their tokens; more than one need both."""
    principal_tokens = tuple(f"bench-principal-{secrets.token_hex(16)}" for _ in range(PRINCIPALS))
    service_token = f"bench-service-{secrets.token_hex(16)}"
    environment = {
        "VX11_PRINCIPAL_TOKEN": ",".join(principal_tokens),
        "VX11_SERVICE_TOKEN": service_token,
        "VX11_LOG_LEVEL": "WARNING",
        # Counted as in production, and never reached.
        "VX11_TOKEN_RATE": "1000000/s",
        "VX11_PUBLISH_RATE": "1000000/s",
        "VX11_CHANGE_RATE": "1000000/s",
    }
    if database_url:
        environment |= {"VX11_DATABASE_URL": database_url, "VX11_SECRET_KEY": secrets.token_urlsafe(64)}
    if redis_url:
        environment |= {"VX11_REDIS_URL": redis_url}
    environment |= settings
    with tempfile.TemporaryDirectory(prefix="vx11-bench-") as folder:
        servers = [RunningServer(Path(folder) / str(number), environment) for number in range(processes)]
        servers[0].manage("migrate", "--no-input")
        try:
            for server in servers:
                server.start()
            yield [(it, Target(it.port, it.pid, principal_tokens, service_token)) for it in servers]
        finally:
            for server in servers:
                if server.running:
                    server.stop()


@contextmanager
def serving_together(processes: int) -> Iterator[tuple[list[Target], dict[str, str]]]:
    """Several on PostgreSQL and Redis of their own, as installations of more than one machine have them.

    And the environment in which another process would be one of them.
    """
    with (
        postgres_database() as database_url,
        PrivateRedis() as redis,
        running_all(processes, database_url=database_url, redis_url=redis.url) as pairs,
    ):
        yield [target for _, target in pairs], pairs[0][0].environment


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database in a private PostgreSQL that does not cut corners: fsync is on."""
    with PrivatePostgres(durable=True) as postgres:
        yield postgres.create_database("bench")


def postgres_program() -> Path | None:
    """PostgreSQL's server program, None when it is not installed."""
    return next((place / "postgres" for place in POSTGRES_PLACES if (place / "postgres").exists()), None)
