"""A Redis of a test's own as the store that processes share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_django import Settings

from gateway.shared_store.limits import limiter
from tests.fresh import ask_settings_for_the_store, begin_anew
from tests.stores import PrivateRedis


def redis_cache(server: PrivateRedis) -> dict[str, Any]:
    """What settings.py makes of VX11_REDIS_URL."""
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": server.url,
        "KEY_FUNCTION": "gateway.shared_store.ticket_cache.literal_key",
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
        },
    }


@contextmanager
def using(server: PrivateRedis, settings: Settings) -> Iterator[None]:
    """This process's store is there; what it keeps in memory of limits begins anew."""
    settings.CACHES = {**settings.CACHES, "tickets": redis_cache(server)}
    ask_settings_for_the_store()
    begin_anew(limiter)
    try:
        yield
    finally:
        ask_settings_for_the_store()
        begin_anew(limiter)
