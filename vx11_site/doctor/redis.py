"""Redis, and what uses it: tickets, limits, and the messages between processes."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Iterator
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.core.cache import caches
from django_redis import get_redis_connection
from redis.exceptions import RedisError
from redis.sentinel import MasterNotFoundError

from vx11_site.doctor import redis_refusals
from vx11_site.doctor.findings import Finding, describe_error, fail, ok, warn

REPAIR = "Start it, or correct VX11_REDIS_URL; see its own log. Until then there are no new tickets."
TICKETS_REPAIR = "Servers answer 503 for tickets until this works: repair Redis first, see above."
MESSAGES_REPAIR = "Processes get each other's events a second late until this works: repair Redis first, see above."
PINGS = 5
SLOW_SECONDS = 0.05
FULL_SHARE = 0.8
PROBE_SECONDS = 5
WAIT_SECONDS = 1.5


def probe() -> Iterator[Finding]:
    access = settings.REDIS
    if access is None:
        yield ok("not used: tickets, limits and messages are within the one serving process")
        return
    client = get_redis_connection("tickets")
    try:
        info: dict[str, Any] = client.info()
    except MasterNotFoundError:
        yield redis_refusals.of_sentinels(access)
        return
    except (RedisError, OSError) as error:
        if not (repair := redis_refusals.known_repair(error, over_tls=access.over_tls)):
            raise
        yield fail(describe_error(error), repair)
        return
    latency_seconds = statistics.median(_ping(client) for _ in range(PINGS))
    text = f"Redis {info['redis_version']} answers in {latency_seconds * 1000:.1f} ms"
    if latency_seconds < SLOW_SECONDS:
        yield ok(text)
    else:
        yield warn(f"{text}; every ticket waits for that", "Put it nearer, or see what keeps it busy: SLOWLOG GET.")
    if info.get("redis_mode") == "cluster":
        yield fail("it is a node of a cluster, which cannot be used", "Take one server, or a primary with Sentinel.")
    if info.get("role") == "slave":
        yield fail("it is a replica, which takes no writes", "Point VX11_REDIS_URL at the primary.")
    yield from _memory(info)
    yield _persistence(info)


def _ping(client: Any) -> float:
    started = time.perf_counter()
    client.ping()
    return time.perf_counter() - started


def _memory(info: dict[str, Any]) -> Iterator[Finding]:
    policy, limit, used = info.get("maxmemory_policy", "noeviction"), int(info["maxmemory"]), int(info["used_memory"])
    repair = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf."
    if policy == "noeviction":
        yield ok("maxmemory-policy is noeviction")
    elif limit:
        yield fail(f"maxmemory-policy is {policy}: when memory is short, valid tickets and counts vanish", repair)
    else:
        yield warn(f"maxmemory-policy is {policy}: with a maxmemory, valid tickets and counts would vanish", repair)
    text = f"{used // 2**20} MiB used" + (f" of {limit // 2**20}" if limit else ", no maxmemory")
    if limit and used > FULL_SHARE * limit:
        yield warn(text, "Raise maxmemory, or give this its own Redis: when it is full, there are no new tickets.")
    else:
        yield ok(text)


def _persistence(info: dict[str, Any]) -> Finding:
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        return warn(
            "its last copy on disk failed: it may soon refuse writes", "Make room there, or: CONFIG SET save ''"
        )
    if int(info.get("aof_enabled", 0)):
        return ok("it writes an append-only file, which is not needed: nothing in it must outlive a restart")
    return ok("nothing in it must outlive a restart, so it needs no append-only file")


def probe_tickets() -> Iterator[Finding]:
    """The same operations on the store as issuing and using a ticket."""
    store, key = caches["tickets"], f"vx11:doctor:{secrets.token_hex(8)}"
    started = time.perf_counter()
    store.set(key, 1, PROBE_SECONDS)
    found, won, again = store.get(key), store.delete(key), store.delete(key)
    took = f"{(time.perf_counter() - started) * 1000:.1f} ms"
    if (found, bool(won), bool(again)) == (1, True, False):
        yield ok(f"a ticket can be stored, found and used once ({took})")
    else:
        yield fail("what was stored is not found again, or can be used twice", TICKETS_REPAIR)


def probe_messages() -> Iterator[Finding]:
    took = asyncio.run(_round_trip())
    yield ok(f"a message between processes arrives in {took * 1000:.1f} ms")


async def _round_trip() -> float:
    layer = get_channel_layer()
    async with asyncio.timeout(WAIT_SECONDS):
        started = time.perf_counter()
        channel = await layer.new_channel("doctor")
        sent = {"type": "doctor.probe", "nonce": secrets.token_hex(8)}
        await layer.send(channel, sent)
        received = await layer.receive(channel)
    if received != sent:
        raise RuntimeError("another message arrived than was sent")
    return time.perf_counter() - started
