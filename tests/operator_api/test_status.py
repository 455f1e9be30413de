"""Is everything there? Said also when it is not."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.test import AsyncClient
from django.utils import timezone
from pytest_django import Settings

from events import log
from events.stream.relay import the_relay
from ledger.faults import LedgerUnavailable
from ledger.writer import writer
from operator_api import status, windows
from operator_api.models import Window
from tests.database_faults import database_away
from tests.events.samples import append_events
from tests.fresh import ask_settings_for_the_store
from tests.processes import free_port

pytestmark = pytest.mark.usefixtures("ledger")

CORE = ["madre", "redis", "tentaculo_link"]


@pytest.fixture(autouse=True)
async def _stop_relay() -> AsyncIterator[None]:
    yield
    await the_relay().stop()


@pytest.fixture
def no_cache(settings: Settings) -> Iterator[None]:
    """The store of tickets is a Redis that is away."""
    cache = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1},
    }
    settings.CACHES = {**settings.CACHES, "tickets": cache}
    ask_settings_for_the_store()
    yield
    ask_settings_for_the_store()


@sync_to_async
def open_window(**fields: Any) -> Window:
    return Window.objects.create(services=["switch", "hermes"], opened_by="p-1", reason="a test", **fields)


async def test_without_a_window_the_system_runs_alone() -> None:
    await sync_to_async(append_events)(3)
    found = (await status.read_status()).window_status()
    assert found == {
        "mode": "solo_madre",
        "ttl_seconds": None,
        "window_id": None,
        "services": CORE,
        "degraded": False,
        "reason": None,
        "opened_by": None,
        "created_at": None,
        "deadline": None,
        "chat_enabled": False,
        "cursor": str((await sync_to_async(log.head)()).newest),
    }


async def test_an_open_window_is_shown_with_what_is_left_of_it() -> None:
    window = await open_window(deadline=timezone.now() + timedelta(seconds=600))
    found = (await status.read_status()).window_status()
    assert (found["mode"], found["window_id"], found["chat_enabled"]) == ("window_active", str(window.id), True)
    assert found["ttl_seconds"] is not None
    assert 590 < found["ttl_seconds"] <= 600
    assert found["services"] == [*CORE, "switch", "hermes"]
    assert (found["opened_by"], found["reason"]) == ("p-1", "a test")


async def test_a_window_without_a_deadline_has_no_time_left_to_show() -> None:
    await open_window()
    found = (await status.read_status()).window_status()
    assert (found["mode"], found["ttl_seconds"], found["deadline"]) == ("window_active", None, None)


async def test_a_window_past_its_deadline_is_not_open() -> None:
    await open_window(deadline=timezone.now() - timedelta(seconds=1))
    assert (await status.read_status()).window_status()["mode"] == windows.SOLO_MADRE


async def test_when_the_database_is_away_the_status_says_so_and_not_that_all_is_well() -> None:
    with database_away():
        found = (await status.read_status()).window_status()
    assert (found["mode"], found["degraded"], found["reason"]) == ("degraded", True, "window_store_unavailable")
    assert found["services"] == ["redis", "tentaculo_link"]


async def test_when_the_database_is_away_status_and_modules_are_answered_in_time_and_say_so() -> None:
    started = time.monotonic()
    with database_away():
        found = await status.read_status()
    assert time.monotonic() - started < 2
    told = found.status()
    assert (told["policy"], told["degraded"], told["status"]) == ("degraded", True, "ok")
    assert told["core_services"] == {
        "madre": {"status": "DOWN"},
        "redis": {"status": "UP"},
        "tentaculo_link": {"status": "UP"},
    }
    assert set(map(str, told["optional_services"].values())) == {"{'status': 'unknown'}"}
    assert found.modules["hermes"]["reason"] == "window_store_unavailable"


async def test_a_module_that_was_added_is_not_called_unknown_because_the_database_is_away(settings: Settings) -> None:
    paths = {name: f"/operator/api/modules/{name}" for name in ("hermes", "shub")}
    settings.PUBLIC_ENTRY_POINTS = frozenset(paths.values())
    assert (await AsyncClient().get(paths["shub"])).status_code == 404
    with database_away():
        known, added = [await AsyncClient().get(path) for path in paths.values()]
    assert (known.status_code, known.json()["status"]) == (200, "unknown")
    assert (added.status_code, added.json()["reason"]) == (503, "dependency_unavailable")


async def test_what_operators_may_do_is_shown_with_the_modules_that_their_window_opened() -> None:
    await open_window()
    told = (await status.read_status()).status()
    assert told["optional_services"]["switch"] == {"status": "unknown"}
    assert told["optional_services"]["spawner"] == {"status": "OFF_BY_POLICY"}
    assert told["window"]["services"] == [*CORE, "switch", "hermes"]


@pytest.mark.usefixtures("no_cache")
async def test_when_the_cache_is_away_the_window_is_still_known() -> None:
    await open_window()
    found = (await status.read_status()).window_status()
    assert (found["mode"], found["degraded"]) == ("window_active", True)
    assert "redis" not in found["services"]


async def test_a_process_with_everything_is_ready() -> None:
    assert await status.readiness() == (True, {"status": "ok", "degraded": []})


async def test_a_process_without_its_database_is_not_ready_and_says_so_in_time() -> None:
    started = time.monotonic()
    with database_away():
        ready, report = await status.readiness()
    assert (ready, report["unavailable"]) == (False, ["database"])
    assert time.monotonic() - started < 5
    assert (await status.readiness())[0]


async def test_n07_a_process_of_which_nothing_is_written_any_more_is_not_ready_until_something_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(units: list[object]) -> Sequence[object]:
        raise OperationalError("away")

    monkeypatch.setattr(status, "WRITES_LATE_SECONDS", 0.0)
    assert (await status.readiness())[0]
    with pytest.raises(LedgerUnavailable):
        await writer.commit(fails, None)
    ready, report = await status.readiness()
    assert (ready, report["unavailable"]) == (False, ["database", "database_writes"])
    await writer.commit(lambda units: units, None)
    assert (await status.readiness())[0]


@pytest.mark.usefixtures("no_cache")
async def test_f02_a_process_without_its_cache_is_ready_but_degraded() -> None:
    assert await status.readiness() == (True, {"status": "ok", "degraded": ["cache"]})


async def test_readiness_starts_a_relay_that_has_ended() -> None:
    await status.readiness()
    the_relay()._tasks[0].cancel()
    await asyncio.sleep(0)
    assert (await status.readiness())[0]
    assert the_relay().is_running()
