"""Redis as the environment describes it: one server by its URL, or whichever server Sentinel says is the primary.

Everything that uses Redis is told the same: the cache (tickets, limits, leases, the log's mark) and the channel layer.
A cluster is none of these: neither scripts over several keys nor this channel layer can use one. No Django.

redis-py is imported where it is used: it takes a tenth of a second, and an installation on one box has none.
"""

import dataclasses
import socket
from typing import Any
from urllib.parse import urlsplit

from vx11_site.config.environment import BadEnvironment, Environment

SCHEMES = ("redis", "rediss", "unix")
# What may stand behind the ? of the URL. Time limits may not: callers are promised an answer within two seconds.
URL_OPTIONS = frozenset({"db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"})
CONNECT_TIMEOUT_SECONDS = 1
ANSWER_TIMEOUT_SECONDS = 1
# Of each sentinel that is asked. Several may be away, and a caller waits for 1.5 s in all.
SENTINEL_TIMEOUT_SECONDS = 0.3
# A connection whose other end has vanished without a word is given up after about ten seconds of silence; the kernel
# looks, and would else begin to after two hours.
KEEPALIVE = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3, socket.TCP_USER_TIMEOUT: 10_000}
# One process asks from four threads of the store and four that read; chores and the admin take the rest.
# Whoever finds none left is told that Redis is away, as everybody is who cannot ask it.
CACHE_CONNECTIONS = 32
# One listens, one tells; some more while either is made anew.
CHANNEL_CONNECTIONS = 8


@dataclasses.dataclass(frozen=True)
class RedisAccess:
    """How to reach Redis. With sentinels, the URL's host counts for nothing: they name the one to talk to."""

    url: str
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_user: str = ""
    sentinel_password: str = dataclasses.field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Environment) -> "RedisAccess | None":
        """None where nothing is said of Redis. Raises BadEnvironment."""
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
        """For whoever must not show them; as they are sent."""
        return [text for text in (str(_parsed(self.url).get("password", "")), self.sentinel_password) if text]

    def cache(self) -> dict[str, Any]:
        """A cache of Django's. All of a process share one pool of connections."""
        options: dict[str, Any] = {
            # django-redis pickles unless told otherwise; what Redis holds must never be run here.
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
            # The primary answers reads too (so not django-redis' SentinelClient): on a replica that is behind, a
            # ticket that was used is still there.
            options["CONNECTION_FACTORY"] = "django_redis.pool.SentinelConnectionFactory"
            options["SENTINELS"] = list(self.sentinels)
            options["SENTINEL_KWARGS"] = self.sentinel_connection() | {"retry": Retry(NoBackoff(), 0)}
            options["CONNECTION_POOL_KWARGS"] |= self._credentials() | {
                "connection_class": managed,
                # A host name of a URL is written small; the name of a service is not.
                "service_name": self.service,
            }
            location = "redis://sentinel"
        return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location, "OPTIONS": options}

    def channel_layer_host(self) -> dict[str, Any]:
        """A host of channels_redis."""
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
        """What the URL says beside the place: user, password, database, certificates."""
        place = ("host", "port", "path", "connection_class")
        return {name: value for name, value in _parsed(self.url).items() if name not in place}

    def sentinel_connection(self) -> dict[str, Any]:
        """To the sentinels themselves. With rediss:// they are asked over TLS too, with the same certificates."""
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
    """Raises BadEnvironment. Not a word of the URL itself is quoted: people write passwords into it."""
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
    known = {"host", "port", "path", "username", "password", "connection_class"}
    if strange := sorted(set(options) - known - URL_OPTIONS):
        raise BadEnvironment(f"VX11_REDIS_URL has options that are not known: {', '.join(strange)}; {use}")
