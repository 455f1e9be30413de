"""PostgreSQL as the environment describes it: for Django, for PostgreSQL's own tools, and repairs for its errors.

No Django, and no connection is made here.
"""

import dataclasses
import os
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, unquote_plus, urlsplit

from vx11_client.terminal_text import shown_lines
from vx11_site.config.environment import BadEnvironment, Environment

CONNECT_TIMEOUT_SECONDS = 2
# These find a host that has vanished without closing its connections: the first while sent data is not acknowledged,
# the second while nothing is sent, for instance while the result of a query is awaited.
TCP_USER_TIMEOUT_MS = 5_000
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
TIME_LIMITS = "-c lock_timeout=2000 -c statement_timeout=10000 -c idle_in_transaction_session_timeout=20000"
NO_STATEMENT_LIMIT = "-c statement_timeout=0"
SCHEMES = frozenset({"postgres", "postgresql", "psql", "pgsql"})
# The name of the only section in the service file for tools.
SERVICE = "vx11"
# Settings of Django that may stand among the options of the URL.
SETTINGS_OF_DJANGO = frozenset(
    {"ATOMIC_REQUESTS", "AUTOCOMMIT", "CONN_HEALTH_CHECKS", "CONN_MAX_AGE", "DISABLE_SERVER_SIDE_CURSORS"}
)
# Options of Django and of the driver that the URL may also have after the ?. All others are options of libpq.
OPTIONS_OF_DJANGO = frozenset({"assume_role", "isolation_level", "prepare_threshold", "server_side_binding"})
# Without one of these modes, libpq continues unencrypted when the server has no TLS, whatever certificates are set.
INSISTS_ON_TLS = frozenset({"require", "verify-ca", "verify-full"})
_PLACES = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}

# Parts of errors of libpq, OpenSSL and PostgreSQL, in lower case, and their repairs. The first match counts.
_REPAIRS = (
    (
        ("does not match host name",),
        "The host in VX11_DATABASE_URL must be a name in PostgreSQL's certificate: use that name, or a certificate "
        "with this one.",
    ),
    (
        ("certificate verify failed", "root certificate file", "could not read root certificate"),
        "Name the authority that signed PostgreSQL's certificate in sslrootcert of VX11_DATABASE_URL: a file that the "
        "server's user can read.",
    ),
    (
        (
            *("client certificate", "certificate authentication failed", "private key", "certificate file"),
            *("alert unknown ca", "alert certificate", "certificate required"),
        ),
        "Name a certificate that PostgreSQL's authority signed, for this user, in sslcert of VX11_DATABASE_URL, and "
        "its key in sslkey: the server's user must be able to read both, and only that user the key (chmod 600).",
    ),
    (
        ("server does not support ssl",),
        "Switch TLS on in PostgreSQL (ssl = on, and its certificate). In the clear it is not asked.",
    ),
    (
        ("no encryption",),
        "PostgreSQL wants TLS, or does not know this address: add sslmode=verify-full and sslrootcert to "
        "VX11_DATABASE_URL, or see its pg_hba.conf.",
    ),
    (
        ("password authentication failed", "no password supplied"),
        "Correct user and password in VX11_DATABASE_URL (or _FILE): postgres://user:password@host:5432/name. Where "
        "PostgreSQL wants a certificate too, the common name in it must be that user.",
    ),
)


@dataclasses.dataclass(frozen=True)
class PostgresAccess:
    """How to reach PostgreSQL. `config` is one database of Django's settings, with only what the URL contains."""

    config: dict[str, Any] = dataclasses.field(repr=False)

    @classmethod
    def from_environment(cls, environment: Environment) -> "PostgresAccess | None":
        """None if the environment names no database. Raises BadEnvironment, which quotes nothing of the URL."""
        url = environment.text("VX11_DATABASE_URL")
        if not url:
            return None
        config = _read(url)
        _check(config.get("OPTIONS", {}))
        return cls(config)

    @property
    def passwords(self) -> list[str]:
        """All passwords, for code that masks them."""
        given = (self.config["PASSWORD"], self.config.get("OPTIONS", {}).get("sslpassword", ""))
        return [str(text) for text in given if text]

    def database(self) -> dict[str, Any]:
        """The entry for Django's DATABASES."""
        ours = {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
            **KEEPALIVES,
            "application_name": "vx11-operator",
            "options": TIME_LIMITS,
        }
        options = {**ours, **self.config.get("OPTIONS", {})}
        # No persistent connections: under ASGI each request would open another one. Our own threads keep theirs.
        return {**self.config, "CONN_MAX_AGE": 0, "OPTIONS": options}

    def service_file(self) -> str:
        """A service file for PostgreSQL's own tools: all options of the URL, without a server's statement timeouts.

        A service file can hold every parameter, which libpq's environment variables cannot. A tool that does not know
        one of them ends with an error.
        """
        options = self.config.get("OPTIONS", {})
        given = KEEPALIVES | {name: value for name, value in options.items() if name not in OPTIONS_OF_DJANGO}
        given |= {name: self.config[key] for key, name in _PLACES.items() if self.config[key]}
        return "".join([f"[{SERVICE}]\n", *(f"{name}={value}\n" for name, value in given.items())])


def known_repair(error: Exception) -> str:
    """The repair for an error of PostgreSQL, if one is known; "" otherwise, as when PostgreSQL is away."""
    text = str(error).lower()
    return next((repair for parts, repair in _REPAIRS if any(part in text for part in parts)), "")


def with_repair(error: Exception) -> str:
    """The error's text, and in a second line the repair, if one is known."""
    return f"{shown_lines(str(error))}\n{known_repair(error)}".rstrip()


def _read(url: str) -> dict[str, Any]:
    """One database of Django's settings. Raises BadEnvironment, which quotes nothing of the URL."""
    parts = _split(url)
    if parts.scheme not in SCHEMES:
        raise BadEnvironment("VX11_DATABASE_URL must begin with postgres://; without it, SQLite is used")
    try:
        host, port = _hosts(parts)
    except ValueError:
        raise BadEnvironment("VX11_DATABASE_URL has a port that is no number from 0 to 65535") from None
    name = unquote_plus(parts.path.removeprefix("/"))
    if name.startswith("/"):
        # The folder of PostgreSQL's socket: postgres://user:password@//var/run/postgresql/name
        host, _, name = name.rpartition("/")
    given = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return {
        # Django's, with metrics of connections, statements, errors and durations.
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": port,
        **{key.upper(): _value(text) for key, text in given.items() if key.upper() in SETTINGS_OF_DJANGO},
        "OPTIONS": {key: _value(text) for key, text in given.items() if key.upper() not in SETTINGS_OF_DJANGO},
    }


def _split(url: str) -> SplitResult:
    """Also of a URL whose password has a bracket or a # that is not quoted."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts and (parts.path or not parts.fragment):
        return parts
    return urlsplit(quote(url, safe=":/?&=@"))


def _hosts(parts: SplitResult) -> tuple[str, int | str]:
    """Host and port, or several of each with commas between, as libpq reads them. Raises ValueError."""
    hosts = unquote(parts.netloc.rpartition("@")[2])
    if "," not in hosts:
        return parts.hostname or "", parts.port or ""
    # Each may be an IPv6 address in brackets.
    split = [one.rpartition(":") if one.rpartition(":")[2].isdigit() else (one, "", "") for one in hosts.split(",")]
    ports = ",".join(port for _, _, port in split if port)
    return ",".join(host for host, _, _ in split), ports


def _value(text: str) -> bool | int | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.isdigit() else text


def _check(options: dict[str, Any]) -> None:
    """Raises BadEnvironment."""
    # Imported here, so that installations without PostgreSQL do not load its driver.
    from psycopg.pq import Conninfo

    allowed = {option.keyword.decode() for option in Conninfo.get_defaults()} | OPTIONS_OF_DJANGO
    if unknown := sorted(set(options) - allowed):
        raise BadEnvironment(f"VX11_DATABASE_URL has options that are not known: {', '.join(unknown)}")
    named = [name for name in ("sslrootcert", "sslcert", "sslkey") if options.get(name)]
    mode = options.get("sslmode") or os.environ.get("PGSSLMODE")
    if named and mode not in INSISTS_ON_TLS:
        raise BadEnvironment(
            f"VX11_DATABASE_URL has {' and '.join(named)}, and would still go on without TLS; add sslmode=verify-full"
        )


def without_statement_limit(options: dict[str, Any]) -> dict[str, Any]:
    """The same options without a limit on the time of a statement. Of two values for one option the last counts."""
    return {**options, "options": f"{options.get('options', '')} {NO_STATEMENT_LIMIT}".strip()}
