"""A stack: everything one installation consists of, in one of its sizes, with tokens that tests know.

Embedded is one server on SQLite with everything in process; scaled is two servers that share PostgreSQL and Redis;
split is scaled with two gateways as servers, each with a backend of its own.
"""

import json
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from tests import prepared
from tests.client import API, Client
from tests.processes import Started
from tests.servers import RunningServer, prepare_sqlite
from tests.stores import PrivatePostgres, PrivateRedis
from tests.waiting import wait_until

Size = Literal["embedded", "scaled", "split"]
TRACEBACK = "Traceback (most recent call last)"
# Heartbeats come often, so that a test that waits for one need not wait for long.
HEARTBEAT_SECONDS = 1
CALL_COMMAND = "from django.core.management import call_command; call_command(*{})"
TOKENS = ("VX11_PRINCIPAL_TOKEN", "VX11_SERVICE_TOKEN")


class Stack(Started):
    """`a` and `b` are its servers: the same one twice when embedded, else two. `backends` are theirs, when split."""

    def __init__(
        self,
        size: Size,
        folder: Path,
        *,
        postgres: PrivatePostgres | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.size = size
        self.folder = folder
        self.principal_token = f"principal-{secrets.token_hex(16)}"
        self.service_token = f"service-{secrets.token_hex(16)}"
        # Every credential that exists; none may turn up in a log.
        self.credentials = {self.principal_token, self.service_token}
        self._postgres = postgres
        self._redis = PrivateRedis() if size != "embedded" else None
        self._extra = dict(environment or {})
        self._exit = ExitStack()
        self.servers: list[RunningServer] = []
        self.backends: list[RunningServer] = []

    @property
    def a(self) -> RunningServer:
        return self.servers[0]

    @property
    def b(self) -> RunningServer:
        return self.servers[-1]

    @property
    def redis(self) -> PrivateRedis:
        assert self._redis is not None, "there is no Redis in an embedded stack"
        return self._redis

    @property
    def postgres(self) -> PrivatePostgres:
        assert self._postgres is not None, "there is no PostgreSQL in an embedded stack"
        return self._postgres

    def start(self) -> None:
        environment = {
            "VX11_PRINCIPAL_TOKEN": self.principal_token,
            "VX11_SERVICE_TOKEN": self.service_token,
            "VX11_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            # All tests come from one address, and many of them fail on purpose.
            "VX11_FAILED_CREDENTIAL_RATE": "1000000/s",
            "VX11_LOGIN_RATE": "1000000/s",
            "VX11_TOKEN_RATE": "1000000/s",
            "VX11_PUBLISH_RATE": "1000000/s",
            "VX11_CHAT_RATE": "1000000/s",
            "VX11_CHANGE_RATE": "1000000/s",
        }
        if self.size != "embedded":
            self._exit.enter_context(self.redis)
            environment |= {
                "VX11_DATABASE_URL": self.postgres.create_database(f"stack_{secrets.token_hex(4)}", migrated=True),
                "VX11_REDIS_URL": self.redis.url,
                "VX11_SECRET_KEY": secrets.token_urlsafe(64),
            }
        environment |= self._extra
        if self.size == "split":
            self.backends = [self._backend(name, environment) for name in ("backend-a", "backend-b")]
            self.servers = [
                self._gateway(name, environment, backend.url)
                for name, backend in zip(("a", "b"), self.backends, strict=True)
            ]
        else:
            names = ["a", "b"] if self.size == "scaled" else ["a"]
            self.servers = [RunningServer(self.folder / name, environment) for name in names]
        self._migrate()
        for server in self.processes:
            server.begin()
        for server in self.processes:
            server.wait_until_healthy()

    def _migrate(self) -> None:
        if self._extra.keys() & {"VX11_DATABASE_URL", "VX11_DATA_DIR"}:
            # A database of the test's own.
            self.a.manage("migrate", "--no-input")
        elif self.size == "embedded":
            self.a.data.mkdir(mode=0o700)
            shutil.copy(prepared.sqlite_file(prepare_sqlite), self.a.data)

    @property
    def processes(self) -> list[RunningServer]:
        return [*self.backends, *self.servers]

    @property
    def token_file(self) -> Path:
        """From which the gateways of a split stack know by which token they call their backends."""
        return self.folder / "service_token"

    def _backend(self, name: str, environment: Mapping[str, str]) -> RunningServer:
        # It is given none of the gateways' tokens.
        own = {name: value for name, value in environment.items() if name not in TOKENS}
        return RunningServer(self.folder / name, own | {"VX11_ROLE": "backend"})

    def _gateway(self, name: str, environment: Mapping[str, str], backend_url: str) -> RunningServer:
        own = dict(environment)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.token_file.write_text(own.pop("VX11_SERVICE_TOKEN"))
        role = {
            "VX11_ROLE": "gateway",
            "VX11_BACKEND_URL": backend_url,
            "VX11_SERVICE_TOKEN_FILE": str(self.token_file),
        }
        return RunningServer(self.folder / name, role | own)

    def client(self, token: str | None, *, server: RunningServer | None = None) -> Client:
        """Speaks to server `a` unless told otherwise; `token=None` sends no credential."""
        return Client((server or self.a).url, token=token, credentials=self.credentials)

    def issue_token(
        self,
        kind: Literal["principal", "service"],
        *,
        name: str | None = None,
        scopes: tuple[str, ...] = (),
        modules: tuple[str, ...] = (),
        expires_in: str | None = None,
    ) -> tuple[str, str]:
        """A new token and its public id."""
        words = ["issue_token", "--kind", kind, "--name", name or f"test-{secrets.token_hex(4)}", "--json"]
        words += [word for scope in scopes for word in ("--scope", scope)]
        words += [word for module in modules for word in ("--module", module)]
        words += ["--expires-in", expires_in] if expires_in else []
        issued = json.loads(self.a.python(CALL_COMMAND.format(words)))
        self.credentials.add(issued["token"])
        self.wait_until_known(issued["token"])
        return issued["token"], issued["public_id"]

    def revoke_token(self, public_id: str) -> None:
        self.a.python(CALL_COMMAND.format(["revoke_token", public_id]))

    def wait_until_known(self, token: str) -> None:
        """What is changed in the database, each server sees within a second."""
        for server in self.servers:
            self._wait_until_known_to(server, token)

    def _wait_until_known_to(self, server: RunningServer, token: str) -> None:
        client = self.client(token, server=server)

        def is_known() -> bool:
            return client.get(f"{API}/window/status").status_code not in (401, 429)

        # A refused credential counts against this address, so ask seldom.
        wait_until(is_known, "the new token is known", pause_seconds=0.2)

    def assert_clean_logs(self) -> None:
        """No exception and no credential in what the servers wrote since the last call."""
        for server in self.processes:
            log = server.new_log()
            assert TRACEBACK not in log, (
                f"a server logged an exception:\n{log[max(0, log.find(TRACEBACK) - 1000) :][:6000]}"
            )
            self.assert_no_credentials(log, "the log")

    def assert_no_credentials(self, text: str, where: str) -> None:
        # There are thousands of tickets, and most texts hold none of them.
        told = [credential for credential in self.credentials if credential in text]
        leaks = [line for line in text.splitlines() if any(credential in line for credential in told)]
        assert not leaks, f"a credential stands in {where}: {[self._masked(line) for line in leaks[:3]]}"

    def _masked(self, line: str) -> str:
        return re.sub("|".join(map(re.escape, self.credentials)), "<credential>", line)

    def stop(self) -> None:
        for server in self.processes[::-1]:
            server.close_shell()
            if server.running:
                server.stop()
        self._exit.close()
