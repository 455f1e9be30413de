"""Redis as the environment describes it, before anything is connected."""

import pytest
from django.core.cache import caches
from django_redis.cache import RedisCache
from pytest_django import Settings

from gateway.checks import deploy
from vx11_site.config.environment import BadEnvironment, Environment
from vx11_site.config.redis import CACHE_CONNECTIONS, RedisAccess

PASSWORD = "p@ss:w/rd-of-redis"
QUOTED = "p%40ss%3Aw%2Frd-of-redis"
SENTINELS = {"VX11_REDIS_SENTINELS": "10.0.0.1:26379, [fd00::1]:26380"}


def access(**variables: str) -> RedisAccess:
    found = RedisAccess.from_environment(Environment(variables))
    assert found is not None
    return found


def test_where_nothing_is_said_of_redis_there_is_none() -> None:
    assert RedisAccess.from_environment(Environment({})) is None
    assert RedisAccess.from_environment(Environment({"VX11_REDIS_SENTINEL_SERVICE": "operator"})) is None


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://10.0.0.1:7000",
        "http://10.0.0.1:6379",
        "10.0.0.1:6379",
        "redis://10.0.0.1:7000,10.0.0.2:7000/0",
        "redis://10.0.0.1:port/0",
        f"redis://:{QUOTED}@10.0.0.1/0?socket_timeout=60",
        f"redis://:{QUOTED}@10.0.0.1/0?max_connections=100000",
        f"rediss://:{QUOTED}@10.0.0.1/0?ssl_cert_reqs=none",
    ],
)
def test_what_cannot_be_used_is_refused_by_name_and_without_its_password(url: str) -> None:
    with pytest.raises(BadEnvironment, match="VX11_REDIS_URL") as caught:
        access(VX11_REDIS_URL=url)
    assert QUOTED not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "10.0.0.1:port", "10.0.0.1:0", "redis://10.0.0.1:26379", ":26379", "u@h:1"]
)
def test_sentinels_without_a_host_and_a_port_are_refused_by_name(text: str) -> None:
    with pytest.raises(BadEnvironment, match="VX11_REDIS_SENTINELS"):
        access(VX11_REDIS_SENTINELS=f"10.0.0.9:26379,{text}")


def test_a_unix_socket_and_sentinels_are_one_too_many() -> None:
    with pytest.raises(BadEnvironment, match="VX11_REDIS_SENTINELS"):
        access(VX11_REDIS_URL="unix:///run/redis.sock", **SENTINELS)


def test_sentinels_name_the_server_and_the_url_says_the_rest() -> None:
    found = access(VX11_REDIS_URL=f"redis://vx11:{QUOTED}@anywhere/4", VX11_REDIS_SENTINEL_SERVICE="Big", **SENTINELS)
    host = found.channel_layer_host()
    assert host["sentinels"] == [("10.0.0.1", 26379), ("fd00::1", 26380)]
    assert (host["master_name"], host["username"], host["password"], host["db"]) == ("Big", "vx11", PASSWORD, 4)
    assert "host" not in host
    assert "ssl" not in host


def test_the_password_of_sentinels_is_theirs_alone_and_nobody_sees_it() -> None:
    found = access(VX11_REDIS_SENTINEL_PASSWORD=PASSWORD, **SENTINELS)
    host = found.channel_layer_host()
    assert host["sentinel_kwargs"]["password"] == PASSWORD
    assert "password" not in host
    assert found.passwords == [PASSWORD]
    assert PASSWORD not in repr(found)


def test_over_tls_the_sentinels_are_asked_with_the_same_certificates() -> None:
    found = access(VX11_REDIS_URL="rediss://any/0?ssl_ca_certs=/ca.pem", **SENTINELS)
    host = found.channel_layer_host()
    assert (host["ssl"], host["ssl_ca_certs"]) == (True, "/ca.pem")
    assert (host["sentinel_kwargs"]["ssl"], host["sentinel_kwargs"]["ssl_ca_certs"]) == (True, "/ca.pem")


def test_sentinels_on_other_hosts_without_a_password_of_redis_are_refused_in_public(settings: Settings) -> None:
    for sentinels, expected in ((SENTINELS, ["vx11.E014"]), ({"VX11_REDIS_SENTINELS": "127.0.0.1:26379"}, [])):
        settings.REDIS = access(**sentinels)
        settings.REDIS_URL = settings.REDIS.url
        assert [message.id for message in deploy.redis(None)] == expected


@pytest.mark.parametrize("sentinels", [False, True])
def test_a_cache_has_one_bounded_pool_whose_waits_are_bounded(settings: Settings, *, sentinels: bool) -> None:
    url = f"redis://vx11:{QUOTED}@127.0.0.{2 + sentinels}:6379/2"
    found = access(VX11_REDIS_URL=url, **(SENTINELS if sentinels else {}))
    settings.CACHES = {"default": found.cache(), "tickets": {**found.cache(), "KEY_PREFIX": "x"}}
    pools = []
    for name in ("default", "tickets"):
        cache = caches[name]
        assert isinstance(cache, RedisCache)
        pools.append(cache.client.get_client().connection_pool)
    assert pools[0] is pools[1]
    assert pools[0].max_connections == CACHE_CONNECTIONS
    given = pools[0].connection_kwargs
    assert (given["username"], given["password"], given["db"]) == ("vx11", PASSWORD, 2)
    assert (given["socket_timeout"], given["socket_connect_timeout"]) == (1, 1)
