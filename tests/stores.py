"""Private Redis and PostgreSQL servers of the tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import psycopg
import redis
from psycopg import sql

from tests import prepared
from tests.processes import OwnProcess, Started, accepts_connections, free_port, parent_of
from tests.servers import RunningServer
from tests.waiting import wait_until

POSTGRES_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
# PostgreSQL's processes for connections of VX11 Operator, by the name that its settings give them.
SERVERS_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'vx11-operator'"
BREAK_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vx11-operator'"


class PrivateServer(Started):
    """A server in a temporary folder, for the length of a `with` block; then it is stopped and the folder removed."""

    folder: Path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        shutil.rmtree(self.folder, ignore_errors=True)


class PrivateRedis(PrivateServer):
    """A redis-server of one's own, empty, that keeps nothing on disk."""

    def __init__(self, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="vx11-redis-"))
        self.process = OwnProcess(self.folder / "redis.log")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, **options: str) -> None:
        """`options` are those of redis.conf, with _ for -."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"} | options
        command = ["redis-server", "--dir", str(self.folder)]
        command += [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        self.process.start(command, folder=self.folder, environment={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        wait_until(lambda: self._is_up(), "redis-server accepts connections")

    def _is_up(self) -> bool:
        assert self.process.running, f"redis-server ended:\n{self.process.log_tail()}"
        return accepts_connections(self.port)

    def stop(self) -> None:
        if self.process.running:
            self.process.end()

    def kill(self) -> None:
        self.process.end(signal.SIGKILL)

    def ask(self, *words: str | bytes | int, password: str | None = None) -> Any:
        """The answer to one command, which must come at once."""
        with redis.Redis.from_url(self.url, password=password, socket_timeout=5) as client:
            return client.execute_command(*words)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """While this lasts, it takes connections and bytes and answers nothing."""
        self.process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send(signal.SIGCONT)


class PrivatePostgres(PrivateServer):
    """A PostgreSQL cluster of one's own in a temporary folder, which trusts every client on 127.0.0.1.

    `durable=False` leaves out fsync: fine for everything but tests that pull the plug of the machine.
    """

    def __init__(
        self, *, durable: bool = False, max_connections: int = 100, port: int | None = None, place: Path | None = None
    ) -> None:
        self.durable = durable
        self.max_connections = max_connections
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="vx11-postgres-", dir=place))
        self.process = OwnProcess(self.folder / "postgres.log")
        # initdb refuses root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def url(self, database: str = "postgres") -> str:
        return f"postgres://vx11@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        if not self._data.exists():
            self._create_cluster()
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": self.max_connections,
            "fsync": "on" if self.durable else "off",
            "synchronous_commit": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        command = [self._program("postgres"), "-D", str(self._data)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process.start(command, folder=self.folder, environment=self._environment, user=self._user)
        wait_until(lambda: self._is_up(), "PostgreSQL accepts connections", timeout_seconds=30)

    def create_database(self, name: str, *, migrated: bool = False) -> str:
        """Makes a database, empty but for its tables if it is to be `migrated`, and gives its URL."""
        template = sql.Identifier(prepared.DATABASE if migrated else "template1")
        self.ask(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template))
        return self.url(name)

    def dump(self, url: str) -> bytes:
        """All of one database as SQL."""
        return self._run("pg_dump", "--inserts", url).encode()

    def stop(self) -> None:
        if self.process.running:
            # Fast shutdown: PostgreSQL's SIGTERM waits for clients to leave.
            self.process.end(signal.SIGINT)

    def crash(self) -> None:
        """Ends it as `pg_ctl stop -m immediate` does: connections break, nothing is put in order."""
        self.process.end(signal.SIGQUIT)

    def ask(self, query: LiteralString | sql.Composed, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement, asked by an administrator."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def break_connections(self) -> None:
        """Ends the connections that the servers have now."""
        self.ask(BREAK_CONNECTIONS)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """While this lasts, neither the connections that the servers have are answered nor new ones."""
        backends = [pid for (pid,) in self.ask(SERVERS_BACKENDS)]
        self._send(signal.SIGSTOP, backends)
        try:
            yield
        finally:
            self._send(signal.SIGCONT, backends)

    def _send(self, number: signal.Signals, backends: list[int]) -> None:
        self.process.send(number)
        for pid in backends:
            assert parent_of(pid) == self.process.pid, "not a process of this PostgreSQL"
            os.kill(pid, number)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _give_away_folder(self) -> None:
        """To the user who runs PostgreSQL."""
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def _create_cluster(self) -> None:
        self._give_away_folder()
        prepared.copy_folder(prepared.cluster(_prepare_cluster), self._data)

    def create_cluster_from_nothing(self) -> None:
        self._give_away_folder()
        options = ("--auth=trust", "--username=vx11", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self._run("initdb", *options, "-D", str(self._data))

    def _is_up(self) -> bool:
        assert self.process.running, f"PostgreSQL ended:\n{self.process.log_tail()}"
        probe = [
            self._program("pg_isready"),
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-d",
            "postgres",
            "-U",
            "vx11",
        ]
        return subprocess.run(probe, check=False, env=self._environment).returncode == 0

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._program(program), *arguments],
            check=False,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        assert done.returncode == 0, f"{program} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    @staticmethod
    def _program(name: str) -> str:
        """Debian keeps the server's programs out of PATH."""
        places = os.pathsep.join([*map(str, POSTGRES_PLACES), os.environ["PATH"]])
        found = shutil.which(name, path=places)
        assert found, f"{name} is not installed; `make test` says how to get it"
        return found


def _prepare_cluster(folder: Path) -> None:
    """Makes the cluster in that folder of which others are copies."""
    postgres = PrivatePostgres(place=folder.parent)
    postgres.create_cluster_from_nothing()
    with postgres:
        url = postgres.create_database(prepared.DATABASE)
        RunningServer(postgres.folder / "server", {"VX11_DATABASE_URL": url}).manage("migrate", "--no-input")
        postgres.stop()
        (postgres.folder / "data").rename(folder)
