"""The system's modules, and whether they are up, as clients see it.

A module is up when it has published recently, or answered its probe. This server knows the state of itself, its
database and its cache without either.
"""

import dataclasses
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict

from django.db.models.functions import Now

from events.log import timestamp
from ledger import clock
from operator_api.models import Module

UP, DOWN, OFF_BY_POLICY, UNKNOWN = "UP", "DOWN", "OFF_BY_POLICY", "unknown"
CORE, OPTIONAL, OPERATOR = Module.Category.CORE.value, Module.Category.OPTIONAL.value, Module.Category.OPERATOR.value
# The modules that are parts of this server: window store, cache, gateway, and the backend of operators.
WINDOW_STORE, CACHE, GATEWAY, BACKEND = "madre", "redis", "tentaculo_link", "operator_backend"
# The modules of a new installation, for when the table cannot be read.
BUILT_IN = {
    **dict.fromkeys((WINDOW_STORE, CACHE, GATEWAY), CORE),
    **dict.fromkeys(("switch", "hermes", "hormiguero", "manifestator", "spawner"), OPTIONAL),
    BACKEND: OPERATOR,
}
STORE_UNAVAILABLE, BACKEND_UNAVAILABLE = "window_store_unavailable", "backend_unavailable"
# Why the cache is up on an installation that has no Redis.
IN_PROCESS = "in_process"
# Modules publish when something happens, which may be rare; probes are sent every few seconds.
PUBLISHED_FRESH_SECONDS = 300
PROBED_FRESH_SECONDS = 60


class State(TypedDict):
    """One module, as clients see it."""

    status: str
    reason: str | None
    category: str
    last_seen: str | None
    # It has published lately, whatever the policy says of it.
    publishing: bool
    # An administrator added it, or noted its port or its probe: it is more than a name that every installation has.
    configured: bool
    # The port that an administrator noted, if one is.
    port: NotRequired[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What a module's state depends on besides its row. `opened` are the open window's modules; None: not known."""

    now: datetime
    store_up: bool
    cache_up: bool
    opened: Collection[str] | None
    # Why the window store cannot be read, if it is not up.
    away: str = STORE_UNAVAILABLE
    # Whether the cache is a Redis, or the memory of this process.
    cache_is_redis: bool = True


def read() -> tuple[datetime, Sequence[Module]]:
    """The database's time, and all modules by name. Reads the database."""
    rows = list(Module.objects.annotate(now=Now()).order_by("name"))
    return rows[0].now if rows else clock.now(), rows


def built_in_rows() -> list[Module]:
    return [Module(name=name, category=category) for name, category in sorted(BUILT_IN.items())]


def unknown_names(names: Collection[str]) -> list[str]:
    """Those of the names that no module has. Reads the database."""
    existing = set(Module.objects.filter(name__in=names).values_list("name", flat=True))
    return [name for name in names if name not in existing]


def state_of(module: Module, around: Surroundings) -> State:
    own = _own_state(module.name, around)
    status, reason = own or _state(module, around)
    seen = around.now if own and status == UP else _last_sign(module)
    state: State = {
        "status": status,
        "reason": reason,
        "category": module.category,
        "last_seen": timestamp(seen) if seen else None,
        "publishing": _is_fresh(module.last_seen, around.now, PUBLISHED_FRESH_SECONDS),
        "configured": module.name not in BUILT_IN or module.port is not None or bool(module.probe_url),
    }
    if module.port is not None:
        state["port"] = module.port
    return state


def _own_state(name: str, around: Surroundings) -> tuple[str, str | None] | None:
    """The state of a module that is a part of this server; None for others."""
    if name == WINDOW_STORE and not around.store_up:
        return DOWN, around.away
    if name == BACKEND and around.away == BACKEND_UNAVAILABLE:
        return DOWN, around.away
    if name == CACHE and not around.cache_up:
        return DOWN, "cache_unavailable"
    if name == CACHE and not around.cache_is_redis:
        return UP, IN_PROCESS
    return (UP, None) if name in (WINDOW_STORE, CACHE, GATEWAY, BACKEND) else None


def _state(module: Module, around: Surroundings) -> tuple[str, str | None]:
    if not around.store_up:
        return UNKNOWN, around.away
    if module.category == OPTIONAL and module.name not in (around.opened or ()):
        return OFF_BY_POLICY, "outside_window"
    probed = _is_fresh(module.probed_at, around.now, PROBED_FRESH_SECONDS)
    published = _is_fresh(module.last_seen, around.now, PUBLISHED_FRESH_SECONDS)
    if probed and module.probe_problem and not (published and _is_later(module.last_seen, module.probed_at)):
        return DOWN, f"probe_failed: {module.probe_problem}"
    if published or (probed and not module.probe_problem):
        return UP, None
    return (UNKNOWN, "never_seen") if _last_sign(module) is None else (DOWN, "silent")


def _last_sign(module: Module) -> datetime | None:
    """When it last published, or answered its probe with success."""
    answered = module.probed_at if module.probed_at and not module.probe_problem else None
    return max((sign for sign in (module.last_seen, answered) if sign is not None), default=None)


def _is_fresh(moment: datetime | None, now: datetime, seconds: int) -> bool:
    return moment is not None and now - moment <= timedelta(seconds=seconds)


def _is_later(moment: datetime | None, other: datetime | None) -> bool:
    return moment is not None and other is not None and moment > other
