"""The environment as typed values: every `VX11_...` variable that exists, its unit and its default. No Django.

A secret may be given as `NAME_FILE` (a path) instead, so that it does not appear in a list of processes.
"""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.durations import read_duration


class BadEnvironment(Exception):
    """A variable has a value that cannot be used; the text names the variable and the form that is expected."""


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable: its name, its default as it would be written in a shell, and whether it is a secret."""

    name: str
    default: str
    secret: bool = False


VARIABLES = (
    Variable("VX11_DATABASE_URL", "", secret=True),
    Variable("VX11_REDIS_URL", "", secret=True),
    Variable("VX11_REDIS_SENTINELS", ""),
    Variable("VX11_REDIS_SENTINEL_SERVICE", "mymaster"),
    Variable("VX11_REDIS_SENTINEL_USER", ""),
    Variable("VX11_REDIS_SENTINEL_PASSWORD", "", secret=True),
    Variable("VX11_SECRET_KEY", "", secret=True),
    Variable("VX11_DATA_DIR", ""),
    Variable("VX11_DEBUG", "false"),
    Variable("VX11_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"),
    Variable("VX11_PUBLIC_URL", ""),
    Variable("VX11_ALLOWED_ORIGINS", ""),
    Variable("VX11_TRUSTED_PROXIES", ""),
    Variable("VX11_PROXY_USER_HEADER", ""),
    Variable("VX11_PROXY_GROUPS_HEADER", ""),
    Variable("VX11_PROXY_SESSION_SECONDS", "900"),
    Variable("VX11_GROUPS", ""),
    Variable("VX11_PUBLIC_ENTRY_POINTS", ""),
    Variable("VX11_PRINCIPAL_TOKEN", "", secret=True),
    Variable("VX11_SERVICE_TOKEN", "", secret=True),
    Variable("VX11_ROLE", "all"),
    Variable("VX11_BACKEND_URL", ""),
    Variable("VX11_BACKEND_TLS_CA", ""),
    Variable("VX11_BACKEND_TLS_CERT", ""),
    Variable("VX11_BACKEND_TLS_KEY", ""),
    Variable("VX11_SSE_TOKEN_TTL_SECONDS", "60"),
    Variable("VX11_SSE_TOKEN_SINGLE_USE", "true"),
    Variable("VX11_TOKEN_RATE", "100/s"),
    Variable("VX11_TOKEN_RATE_PER_ADDRESS", ""),
    Variable("VX11_FAILED_CREDENTIAL_RATE", "60/m"),
    Variable("VX11_LOGIN_RATE", "10/5m"),
    Variable("VX11_PUBLISH_RATE", "5000/s"),
    Variable("VX11_STREAM_MAX_AGE_SECONDS", "3600"),
    Variable("VX11_HEARTBEAT_SECONDS", "10"),
    Variable("VX11_MAX_STREAMS", "0"),
    Variable("VX11_MAX_STREAMS_PER_PRINCIPAL", "1000"),
    Variable("VX11_DRAIN_SECONDS", "10"),
    Variable("VX11_EVENT_RETENTION_DAYS", "30"),
    # Empty: by the database.
    Variable("VX11_EVENT_RETENTION_ROWS", ""),
    Variable("VX11_AUDIT_RETENTION_DAYS", "90"),
    Variable("VX11_SEARCH_INDEX", "on"),
    Variable("VX11_CHAT_UPSTREAM_URL", ""),
    Variable("VX11_CHAT_UPSTREAM_TOKEN", "", secret=True),
    Variable("VX11_CHAT_UPSTREAM_WAIT_MS", "2500"),
    # All people of a shift may share one token; together they type at most two messages a second.
    Variable("VX11_CHAT_RATE", "120/m"),
    Variable("VX11_CHANGE_RATE", "120/m"),
    Variable("VX11_DELIVERY_NETWORKS", ""),
    Variable("VX11_DELIVERY_PROXIES", "off"),
    Variable("VX11_UI_DIR", ""),
    Variable("VX11_LOG_LEVEL", "INFO"),
    Variable("VX11_LOG_FORMAT", "text"),
    Variable("VX11_TRACES_URL", ""),
    Variable("VX11_TRACES_RATIO", "0.01"),
    # Read by the commands that talk to a running server, not by the server.
    Variable("VX11_URL", "http://127.0.0.1:8000"),
)
# Names that have been set by mistake in existing installations, and the variable that was meant.
MISTAKEN_NAMES = {"REDIS_URL": "VX11_REDIS_URL", "DATABASE_URL": "VX11_DATABASE_URL"}
TRUE_TEXTS = frozenset({"1", "true", "yes", "on"})
FALSE_TEXTS = frozenset({"0", "false", "no", "off", ""})


# As "100/s", "10/5m"; neither number begins with 0.
_RATE = re.compile(r"([1-9]\d{0,9})/((?!0).+)", re.ASCII)


class Rate(NamedTuple):
    """An amount in a period."""

    amount: int
    seconds: int


class Environment:
    """Typed reads of one mapping of variables. Raises BadEnvironment for values of the wrong kind."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values
        self._known = {variable.name: variable for variable in VARIABLES}

    def text(self, name: str) -> str:
        """The value without surrounding white space; `NAME_FILE` is read when NAME is not set."""
        variable = self._known[name]
        value = self._values.get(name)
        path = self._values.get(f"{name}_FILE") if variable.secret else None
        if value is None and path:
            try:
                value = Path(path).read_text(encoding="utf-8")
            except OSError as error:
                raise BadEnvironment(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise BadEnvironment(f"{name}_FILE names {path}, which is not text in UTF-8") from None
        return (variable.default if value is None else value).strip()

    def items(self, name: str) -> list[str]:
        """A comma list; empty items count for nothing."""
        return [item.strip() for item in self.text(name).split(",") if item.strip()]

    def tokens(self, name: str) -> list[str]:
        """A comma list of tokens."""
        return [self._sendable(name, token) for token in self.items(name)]

    def token(self, name: str) -> str:
        """One token, of which a comma may be part."""
        return self._sendable(name, self.text(name))

    def _sendable(self, name: str, token: str) -> str:
        """What is sent in a header must fit into one. An error never quotes what was found."""
        if not (token.isascii() and token.isprintable()):
            raise BadEnvironment(
                f"{name} holds a line end, or another character that no header can hold; "
                "several tokens have commas between them"
            )
        return token

    def hosts(self, name: str) -> list[tuple[str, int]]:
        """A comma list of host:port; the host of an IPv6 address stands in brackets."""
        return [self._host(name, item) for item in self.items(name)]

    def _host(self, name: str, item: str) -> tuple[str, int]:
        try:
            parts = urlsplit(f"//{item}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not port or parts.path or parts.query or parts.username is not None:
            raise BadEnvironment(f"{name} is no list of servers; use host:port,host:port")
        return host, port

    def tokens_now(self, name: str, before: Sequence[str]) -> Sequence[str]:
        """As tokens(); `before` while the file cannot be used, or holds nothing because it is just being written."""
        try:
            return self.tokens(name) or before
        except BadEnvironment:
            return before

    def choice(self, name: str, choices: Sequence[str]) -> str:
        chosen = self.text(name).lower()
        if chosen not in choices:
            raise BadEnvironment(f"{name} is {chosen!r}; use {', '.join(choices[:-1])} or {choices[-1]}")
        return chosen

    def flag(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in TRUE_TEXTS | FALSE_TEXTS:
            raise BadEnvironment(f"{name} is {text!r}; use true or false")
        return text in TRUE_TEXTS

    def number(self, name: str, *, minimum: int, maximum: int, unset: int | None = None) -> int:
        """`unset` is what an empty one means, for one whose default depends on others."""
        text = self.text(name)
        if not text and unset is not None:
            return unset
        try:
            value = int(text)
        except ValueError:
            raise BadEnvironment(f"{name} is {text!r}; use a whole number from {minimum} to {maximum}") from None
        if not minimum <= value <= maximum:
            raise BadEnvironment(f"{name} is {value}; use a whole number from {minimum} to {maximum}")
        return value

    def share(self, name: str) -> float:
        """From 0, none, to 1, all."""
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise BadEnvironment(f"{name} is {text!r}; use a number from 0 to 1")
        return value

    def address(self, name: str) -> str:
        """A URL for HTTP; empty means none."""
        text = self.text(name)
        try:
            parts = urlsplit(text)
            fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fit = False
        if text and not fit:
            # The value is not quoted: people write passwords into URLs.
            raise BadEnvironment(f"{name} is no address; use http://host:port/path or https://host/path")
        return text

    def folder(self, name: str, *, apart_from: Path) -> Path | None:
        """A folder whose files become public, so it must not contain the other folder or lie in it; None if empty."""
        text = self.text(name)
        if not text:
            return None
        folder, other = Path(text).resolve(), apart_from.resolve()
        if folder == other or folder in other.parents or other in folder.parents:
            raise BadEnvironment(f"{name} lies in {apart_from} or around it; its files would become public")
        # Not resolved: a symbolic link may point to another build later.
        return Path(text).absolute()

    def rate(self, name: str) -> Rate | None:
        """Empty is no limit."""
        text = self.text(name)
        if not text:
            return None
        found = _RATE.fullmatch(text)
        # "s" is every second.
        every = found and (read_duration(found[2]) or read_duration(f"1{found[2]}"))
        if not found or not every:
            raise BadEnvironment(f"{name} is {text!r}; use a number and a time, e.g. 100/s, 60/m or 10/5m")
        return Rate(int(found[1]), int(every.total_seconds()))

    def unknown_names(self) -> list[str]:
        """One sentence for each variable that looks like ours but is not read, so that typing errors are noticed."""
        names = set(self._known) | {f"{v.name}_FILE" for v in VARIABLES if v.secret}
        unknown = sorted(name for name in self._values if name.startswith("VX11_") and name not in names)
        mistaken = sorted(name for name in MISTAKEN_NAMES if name in self._values)
        return [f"{name} is set, but no such setting exists." for name in unknown] + [
            f"{name} is set, but this program reads {MISTAKEN_NAMES[name]}."
            for name in mistaken
            if MISTAKEN_NAMES[name] not in self._values
        ]
