"""PostgreSQL, Redis and sentinels that speak TLS only, and only to those who show a certificate of their authority."""

import os
import pwd
import re
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote, urlencode

import psycopg
import redis
from psycopg import sql

from tests.certificates import CLIENT, make_certificates
from tests.sentinels import SentinelGroup
from tests.servers import ROOT
from tests.stores import PrivatePostgres, PrivateRedis

PASSWORD = "tell-nobody-@:/-of-this"


def documented(pattern: str) -> str:
    """The one place in docs/scaling.md that the pattern's group finds."""
    found = re.findall(pattern, (ROOT / "docs/scaling.md").read_text(), re.MULTILINE)
    assert len(found) == 1, f"{pattern} is there {len(found)} times"
    return str(found[0])


# The first line is for the administrator of the tests; whoever is tested comes over TCP, as documented.
RULES = "local all all trust\n" + documented(r"^(hostssl .*)$").replace(
    "vx11  vx11  10.0.0.0/24", "all all 127.0.0.1/32"
)


class TlsPostgres(PrivatePostgres):
    """The user whom the certificate names, who must also know the password."""

    def url(self, database: str = "postgres", *, host: str = "localhost", **options: str | None) -> str:
        """`options` replace those of a URL that is right; None leaves one out."""
        files = {"sslrootcert": "ca.crt", "sslcert": "client.crt", "sslkey": "client.key"}
        given = {"sslmode": "verify-full", **{name: str(self.folder / file) for name, file in files.items()}, **options}
        query = urlencode({name: value for name, value in given.items() if value is not None}, safe="/")
        return f"postgres://{CLIENT}:{quote(PASSWORD, safe='')}@{host}:{self.port}/{database}?{query}"

    def ask(self, query: LiteralString | sql.Composed, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host=str(self.folder), port=self.port, user=CLIENT, dbname="postgres", autocommit=True
        ) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def show_certificate(self, name: str) -> None:
        """From the next connection on; `name` is that of a pair of files."""
        for suffix in ("crt", "key"):
            (self.folder / f"shown.{suffix}").write_bytes((self.folder / f"{name}.{suffix}").read_bytes())
        self.ask("SELECT pg_reload_conf()")

    def start(self) -> None:
        super().start()
        self.ask(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(CLIENT), PASSWORD))

    def _create_cluster(self) -> None:
        super()._create_cluster()
        make_certificates(self.folder)
        for suffix in ("crt", "key"):
            shown = self.folder / f"shown.{suffix}"
            shown.write_bytes((self.folder / f"server.{suffix}").read_bytes())
            shown.chmod(0o600)
            if self._user:
                os.chown(shown, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        (self._data / "pg_hba.conf").write_text(RULES)
        files = {"ssl_cert_file": "shown.crt", "ssl_key_file": "shown.key", "ssl_ca_file": "ca.crt"}
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write("ssl = on\n")
            configuration.writelines(f"{name} = '{self.folder / file}'\n" for name, file in files.items())


class TlsRedis(PrivateRedis):
    """With certificates of its own, unless there is a folder with some."""

    def __init__(self, *, certificates: Path | None = None) -> None:
        super().__init__()
        self._certificates = certificates

    @property
    def url(self) -> str:
        return self.secure_url()

    def secure_url(self, authority: str = "ca.crt") -> str:
        query = urlencode(client_files(self._certificates or self.folder, authority), safe="/")
        return f"rediss://localhost:{self.port}/0?{query}"

    def start(self, **options: str) -> None:
        if self._certificates is None:
            make_certificates(self.folder)
        tls = server_files(self._certificates or self.folder)
        super().start(port="0", tls_port=str(self.port), tls_replication="yes", **tls, **options)


class TlsSentinelGroup(SentinelGroup):
    """Primary, replica and sentinels over TLS, as documented; VX11 Operator is a user of its own with all of them."""

    @property
    def environment(self) -> dict[str, str]:
        query = urlencode(client_files(self.folder), safe="/")
        return super().environment | {
            "VX11_REDIS_URL": f"rediss://vx11:{self.password}@ignored/0?{query}",
            "VX11_REDIS_SENTINEL_USER": "operator",
        }

    def start(self) -> None:
        make_certificates(self.folder)
        super().start()
        for server in (self.primary, self.replica):
            rules = documented(r"^user vx11 (.*)$").replace("PASSWORD", self.password)
            self.ask(server, "ACL", "SETUSER", "vx11", *rules.split())

    def _server(self) -> PrivateRedis:
        return TlsRedis(certificates=self.folder)

    def _listening(self, port: int) -> str:
        lines = documented(r"^(port 0\n(?:.+\n)+)```")
        for name, value in (("26379", str(port)), ("PASSWORD", self.password), ("/etc/redis/tls", str(self.folder))):
            lines = lines.replace(name, value)
        return lines

    def _client(self, port: int) -> redis.Redis:
        return redis.Redis(
            host="localhost", port=port, password=self.password, socket_timeout=5, ssl=True, **client_files(self.folder)
        )


def server_files(folder: Path) -> dict[str, str]:
    """As redis.conf names them, with _ for -."""
    files = {"cert": "server.crt", "key": "server.key", "ca_cert": "ca.crt"}
    return {f"tls_{name}_file": str(folder / file) for name, file in files.items()}


def client_files(folder: Path, authority: str = "ca.crt") -> dict[str, Any]:
    """As a URL names them."""
    files = {"ssl_ca_certs": authority, "ssl_certfile": "client.crt", "ssl_keyfile": "client.key"}
    return {name: str(folder / file) for name, file in files.items()}
