"""Private servers of the tests: Redis, PostgreSQL and VX11 Operator itself."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import httpx
import psycopg
import redis
from psycopg import sql

from tests import prepared
from tests.client import LOOPBACK
from tests.django_shell import DjangoShell
from tests.processes import OwnProcess, Started, accepts_connections, free_port, parent_of, run_program
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
POSTGRES_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
# PostgreSQL's processes for connections of VX11 Operator, by the name that its settings give them.
SERVERS_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'vx11-operator'"
BREAK_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vx11-operator'"
START_TIMEOUT_SECONDS = 30
COMMAND_TIMEOUT_SECONDS = 60


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
    """A PostgreSQL cluster of one's own in a temporary folder, trusting whoever reaches it on 127.0.0.1.

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


def prepare_sqlite(folder: Path) -> None:
    """Makes a migrated SQLite file in that folder."""
    RunningServer(folder, {"VX11_DATA_DIR": str(folder)}).manage("migrate", "--no-input")


class RunningServer:
    """`manage.py serve` on a free port, of 127.0.0.1 unless told otherwise, which it keeps over restarts.

    `environment` holds the VX11_ variables; those of the test run itself do not reach the server. `checkout` is what it
    runs, from its next start on.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, host: str = "127.0.0.1", port: int | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.port = port or free_port()
        self.url = f"http://{host}:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("VX11_", "DJANGO_"))},
            # Otherwise a line stays in a buffer when the server is killed.
            "PYTHONUNBUFFERED": "1",
            "VX11_DATA_DIR": str(folder / "data"),
            **environment,
        }
        self.process = OwnProcess(folder / f"serve-{self.port}.log")
        self.checkout = ROOT
        self._log_read = 0
        self._shell: DjangoShell | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.running

    def start(self) -> None:
        self.begin()
        self.wait_until_healthy()

    def begin(self) -> None:
        """Starts it and does not wait: others may be started meanwhile."""
        command = [sys.executable, "manage.py", "serve", "--host", self.host, "--port", str(self.port)]
        self.process.start(command, folder=self.checkout, environment=self.environment)

    def wait_until_healthy(self) -> None:
        wait_until(self._is_healthy, f"{self.url}/health answers 200", timeout_seconds=START_TIMEOUT_SECONDS)

    @property
    def data(self) -> Path:
        return Path(self.environment["VX11_DATA_DIR"])

    def stop(self) -> int:
        """Ends the server in order (SIGTERM) and gives its exit code."""
        return self.process.end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server as a crash would (SIGKILL)."""
        self.process.end(signal.SIGKILL)

    def restart(self) -> None:
        if self.running:
            self.stop()
        self.start()

    def manage(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs a management command with the environment of this server; gives what it printed."""
        done = self.run_manage(*arguments, stdin=stdin)
        assert done.returncode == 0, f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run_manage(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return run_program(
            [sys.executable, "manage.py", *arguments],
            folder=self.checkout,
            environment=self.environment,
            stdin=stdin or "",
            timeout_seconds=COMMAND_TIMEOUT_SECONDS,
        )

    def python(self, code: str) -> str:
        """Runs code beside the server, with Django set up as it has it; gives what that printed.

        For what tests need to be there, or want to know: it takes no process of its own, as a command does.
        """
        if self._shell is None or self._shell.environment != self.environment or self._shell.folder != self.checkout:
            self.close_shell()
            self._shell = DjangoShell(folder=self.checkout, environment=self.environment)
        return self._shell.run(code)

    def close_shell(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell = None

    def new_log(self) -> str:
        """What the server wrote since the last call."""
        text = self.process.log()
        new, self._log_read = text[self._log_read :], len(text)
        return new

    def _is_healthy(self) -> bool:
        assert self.running, f"the server ended with {self.process.exit_code}:\n{self.process.log_tail()}"
        try:
            return httpx.get(f"{self.url}/health", timeout=2, **LOOPBACK).status_code == 200
        except httpx.TransportError:
            return False
