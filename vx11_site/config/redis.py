"""Redis as the environment describes it: one server by its URL, or the primary that Sentinel names.

Cache (tickets, limits, leases, the log's watermark) and channel layer get the same access. A Redis cluster cannot be
used, neither by scripts over several keys nor by this channel layer. No Django.

redis-py is imported inside functions: it takes a tenth of a second, and an installation on one box does not need it.
"""

import dataclasses
import socket
from typing import Any
from urllib.parse import urlsplit

from vx11_site.config.environment import BadEnvironment, Environment

SCHEMES = ("redis", "rediss", "unix")
# Options that the URL may have. Timeouts are not among them: callers are promised a response within two seconds.
URL_OPTIONS = frozenset({"db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"})
CONNECT_TIMEOUT_SECONDS = 1
ANSWER_TIMEOUT_SECONDS = 1
# For each sentinel. Several may be away, and a caller waits for 1.5 s in all.
SENTINEL_TIMEOUT_SECONDS = 0.3
# The kernel gives up a connection about ten seconds after the other end has vanished; its default is two hours.
# By the names that this system has: macOS has no TCP_USER_TIMEOUT.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
KEEPALIVE = {getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)}
# One process uses it from four threads of the store and four of the reader; chores and the admin take the rest. A
# caller that finds no free connection gets the same error as when Redis is away.
CACHE_CONNECTIONS = 32
# One to receive, one to send; some more while one of them is being replaced.
CHANNEL_CONNECTIONS = 8


@dataclasses.dataclass(frozen=True)
class RedisAccess:
    """How to reach Redis. With sentinels, the URL's host is ignored, because they name the primary."""

    url: str
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_user: str = ""
    sentinel_password: str = dataclasses.field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Environment) -> "RedisAccess | None":
        """None if the environment names no Redis. Raises BadEnvironment."""
        url = environment.text("VX11_REDIS_URL")
        sentinels = environment.hosts("VX11_REDIS_SENTINELS")
        if not url and not sentinels:
            return None
        service = environment.text("VX11_REDIS_SENTINEL_SERVICE")
        _check(url or "redis://", sentinels=bool(sentinels))
        user, password = (environment.text(f"VX11_REDIS_SENTINEL_{name}") for name in ("USER", "PASSWORD"))
        return cls(url or f"redis://{service}/0", tuple(sentinels), service, user, password)

    @property
    def passwords(self) -> list[str]:
        """All passwords, decoded, for code that masks them."""
        return [text for text in (str(_parsed(self.url).get("password", "")), self.sentinel_password) if text]

    def cache(self) -> dict[str, Any]:
        """The entry for Django's CACHES. All caches of a process share one pool of connections."""
        options: dict[str, Any] = {
            # The default of django-redis is pickle, with which data in Redis could execute code here.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": CONNECT_TIMEOUT_SECONDS,
            "SOCKET_TIMEOUT": ANSWER_TIMEOUT_SECONDS,
            "CONNECTION_POOL_KWARGS": self._connection() | {"max_connections": CACHE_CONNECTIONS},
        }
        location = self.url
        if self.sentinels:
            from redis.backoff import NoBackoff
            from redis.retry import Retry
            from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

            managed = SentinelManagedSSLConnection if self.over_tls else SentinelManagedConnection
            # Reads go to the primary too, so this does not use django-redis' SentinelClient: a replica that lags behind
            # may still hold a used ticket.
            options["CONNECTION_FACTORY"] = "django_redis.pool.SentinelConnectionFactory"
            options["SENTINELS"] = list(self.sentinels)
            options["SENTINEL_KWARGS"] = self.sentinel_connection() | {"retry": Retry(NoBackoff(), 0)}
            options["CONNECTION_POOL_KWARGS"] |= self._credentials() | {
                "connection_class": managed,
                # Not from the URL, whose host is converted to lower case; service names are case-sensitive.
                "service_name": self.service,
            }
            location = "redis://sentinel"
        return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location, "OPTIONS": options}

    def channel_layer_host(self) -> dict[str, Any]:
        """The entry for the hosts of channels_redis."""
        timeouts = {"socket_timeout": ANSWER_TIMEOUT_SECONDS, "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS}
        common = timeouts | self._connection() | {"max_connections": CHANNEL_CONNECTIONS}
        if not self.sentinels:
            return {"address": self.url, **common}
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        return {
            "master_name": self.service,
            "sentinels": list(self.sentinels),
            "sentinel_kwargs": self.sentinel_connection() | {"retry": Retry(NoBackoff(), 0)},
            **({"ssl": True} if self.over_tls else {}),
            **self._credentials(),
            **common,
        }

    @property
    def over_tls(self) -> bool:
        return urlsplit(self.url).scheme == "rediss"

    def _connection(self) -> dict[str, Any]:
        if urlsplit(self.url).scheme == "unix":
            return {}
        return {"socket_keepalive": True, "socket_keepalive_options": KEEPALIVE}

    def _credentials(self) -> dict[str, Any]:
        """What the URL contains beside the address: user, password, database, certificates."""
        place = ("host", "port", "path", "connection_class")
        return {name: value for name, value in _parsed(self.url).items() if name not in place}

    def sentinel_connection(self) -> dict[str, Any]:
        """Options of a connection to the sentinels themselves. With rediss:// they use the same TLS and
        certificates.
        """
        tls = {name: value for name, value in self._credentials().items() if name.startswith("ssl_")}
        return {
            "socket_timeout": SENTINEL_TIMEOUT_SECONDS,
            "socket_connect_timeout": SENTINEL_TIMEOUT_SECONDS,
            **({"username": self.sentinel_user} if self.sentinel_user else {}),
            **({"password": self.sentinel_password} if self.sentinel_password else {}),
            **({"ssl": True, **tls} if self.over_tls else {}),
        }


def _parsed(url: str) -> dict[str, Any]:
    """Raises ValueError."""
    from redis.connection import parse_url

    return dict(parse_url(url))  # type: ignore[no-untyped-call]  # redis has types for most of itself


def _check(url: str, *, sentinels: bool) -> None:
    """Raises BadEnvironment, which quotes nothing of the URL: people write passwords into it."""
    use = "use redis://, rediss:// or unix://"
    try:
        parts = urlsplit(url)
        options = _parsed(url)
        _ = parts.port
    except ValueError:
        raise BadEnvironment(f"VX11_REDIS_URL cannot be read; {use}") from None
    if parts.scheme == "unix" and sentinels:
        raise BadEnvironment("VX11_REDIS_URL names a Unix socket, and VX11_REDIS_SENTINELS servers: use one of them")
    if "," in parts.netloc.rpartition("@")[2]:
        raise BadEnvironment(
            "VX11_REDIS_URL names several servers. A Redis cluster cannot be used; for a primary with replicas, "
            "name their sentinels in VX11_REDIS_SENTINELS"
        )
    parts_of_url = {"host", "port", "path", "username", "password", "connection_class"}
    if unknown := sorted(set(options) - parts_of_url - URL_OPTIONS):
        raise BadEnvironment(f"VX11_REDIS_URL has options that are not known: {', '.join(unknown)}; {use}")
