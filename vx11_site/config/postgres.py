"""PostgreSQL as the environment describes it: for Django, for PostgreSQL's own tools, and for whoever it refuses.

No Django, and nothing is connected here.
"""

import dataclasses
import os
from typing import Any

import environ

from vx11_client.terminal_text import shown_lines
from vx11_site.config.environment import BadEnvironment, Environment

CONNECT_TIMEOUT_SECONDS = 2
# A host that vanished without a word: while what was sent waits to be acknowledged; and while nothing is sent, as when
# the answer to a query is waited for.
TCP_USER_TIMEOUT_MS = 5_000
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
TIME_LIMITS = "-c lock_timeout=2000 -c statement_timeout=10000 -c idle_in_transaction_session_timeout=20000"
NO_STATEMENT_LIMIT = "-c statement_timeout=0"
# The name of the one section in the file that tools are handed.
SERVICE = "vx11"
# Options of Django's and of the driver's that may stand behind the ? as well. The rest is what libpq knows.
OPTIONS_OF_DJANGO = frozenset({"assume_role", "isolation_level", "prepare_threshold", "server_side_binding"})
# Left alone, libpq goes on in the clear when the server does not speak TLS, whatever certificates it was given.
INSISTS_ON_TLS = frozenset({"require", "verify-ca", "verify-full"})
_PLACES = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}

# What libpq, OpenSSL and PostgreSQL say, small, and what to do about it. The first that is found counts.
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
        "its key in sslkey: both must be there for the server's user to read, the key for nobody else (chmod 600).",
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
    """How to reach PostgreSQL. `config` is one database of Django's settings, as the URL says it and no more."""

    config: dict[str, Any] = dataclasses.field(repr=False)

    @classmethod
    def from_environment(cls, environment: Environment) -> "PostgresAccess | None":
        """None where nothing is said of a database. Raises BadEnvironment, which quotes nothing of the URL."""
        url = environment.text("VX11_DATABASE_URL")
        if not url:
            return None
        config: dict[str, Any] = environ.Env.db_url_config(url)
        if config["ENGINE"] != "django.db.backends.postgresql":
            raise BadEnvironment("VX11_DATABASE_URL must begin with postgres://; without it, SQLite is used")
        _check(config.get("OPTIONS", {}))
        return cls(config)

    @property
    def passwords(self) -> list[str]:
        """For whoever must not show them."""
        given = (self.config["PASSWORD"], self.config.get("OPTIONS", {}).get("sslpassword", ""))
        return [str(text) for text in given if text]

    def database(self) -> dict[str, Any]:
        """A database of Django's."""
        ours = {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
            **KEEPALIVES,
            "application_name": "vx11-operator",
            "options": TIME_LIMITS,
        }
        options = {**ours, **self.config.get("OPTIONS", {})}
        # Under ASGI a connection that outlives its request is one for each request; our own threads keep theirs.
        return {**self.config, "CONN_MAX_AGE": 0, "OPTIONS": options}

    def service_file(self) -> str:
        """For PostgreSQL's own tools: all that the URL says to libpq, without a server's time limits for statements.

        Other than the variables of libpq it takes every parameter, and a tool that does not know one ends with that.
        """
        options = self.config.get("OPTIONS", {})
        given = KEEPALIVES | {name: value for name, value in options.items() if name not in OPTIONS_OF_DJANGO}
        given |= {name: self.config[key] for key, name in _PLACES.items() if self.config[key]}
        return "".join([f"[{SERVICE}]\n", *(f"{name}={value}\n" for name, value in given.items())])


def known_repair(error: Exception) -> str:
    """What to do about a refusal that says more than that PostgreSQL is away; "" for others."""
    text = str(error).lower()
    return next((repair for words, repair in _REPAIRS if any(word in text for word in words)), "")


def with_repair(error: Exception) -> str:
    """What the error says, and in a line of its own what to do about it, where that is known."""
    return f"{shown_lines(str(error))}\n{known_repair(error)}".rstrip()


def _check(options: dict[str, Any]) -> None:
    """Raises BadEnvironment."""
    # Half of them know no PostgreSQL, and need not load its driver.
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | OPTIONS_OF_DJANGO
    if strange := sorted(set(options) - known):
        raise BadEnvironment(f"VX11_DATABASE_URL has options that are not known: {', '.join(strange)}")
    named = [name for name in ("sslrootcert", "sslcert", "sslkey") if options.get(name)]
    mode = options.get("sslmode") or os.environ.get("PGSSLMODE")
    if named and mode not in INSISTS_ON_TLS:
        raise BadEnvironment(
            f"VX11_DATABASE_URL has {' and '.join(named)}, and would still go on without TLS; add sslmode=verify-full"
        )


def without_statement_limit(options: dict[str, Any]) -> dict[str, Any]:
    """The same options, for statements that take as long as they take. Of two values the last one counts."""
    return {**options, "options": f"{options.get('options', '')} {NO_STATEMENT_LIMIT}".strip()}
