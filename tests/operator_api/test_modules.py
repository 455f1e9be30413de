"""Modules: up when they published lately or answered, off while no window opens them, and unknown if nobody knows."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from operator_api import background_tasks, modules, probes
from operator_api.background_tasks import BackgroundTasks
from operator_api.last_seen import mark_seen_many, note_published_modules, published_modules
from operator_api.models import Module, Window, check_probe_url
from operator_api.modules import PROBED_FRESH_SECONDS, PUBLISHED_FRESH_SECONDS, Surroundings, state_of
from tests.events.samples import append_events
from tests.events.waiting import until
from tests.operator_api.chat.fake_assistant import Assistant
from tests.operator_api.samples import opened, opening, types_told
from tests.processes import free_port

pytestmark = pytest.mark.usefixtures("ledger")

NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)
ALL_WELL = Surroundings(NOW, store_up=True, cache_up=True, opened=("switch",))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def described(**fields: object) -> tuple[str, str | None]:
    module = Module(**{"name": "switch", "category": "optional", **fields})
    state = state_of(module, ALL_WELL)
    return state["status"], state["reason"]


def test_a_new_installation_knows_the_modules_of_the_contract() -> None:
    assert {module.name: module.category for module in Module.objects.all()} == modules.BUILT_IN


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({}, "unknown", "never_seen"),
        ({"last_seen": ago(PUBLISHED_FRESH_SECONDS)}, "UP", None),
        ({"last_seen": ago(PUBLISHED_FRESH_SECONDS + 1)}, "DOWN", "silent"),
        ({"probed_at": ago(PROBED_FRESH_SECONDS)}, "UP", None),
        ({"probed_at": ago(PROBED_FRESH_SECONDS + 1)}, "DOWN", "silent"),
        ({"probed_at": ago(5), "probe_problem": "answered 500"}, "DOWN", "probe_failed: answered 500"),
        (
            {"probed_at": ago(5), "probe_problem": "answered 500", "last_seen": ago(9)},
            "DOWN",
            "probe_failed: answered 500",
        ),
        ({"probed_at": ago(5), "probe_problem": "answered 500", "last_seen": ago(2)}, "UP", None),
        ({"name": "hermes", "last_seen": ago(1)}, "OFF_BY_POLICY", "outside_window"),
        ({"name": "other", "category": "core", "last_seen": ago(1)}, "UP", None),
        ({"name": "madre", "category": "core"}, "UP", None),
        ({"name": "redis", "category": "core"}, "UP", None),
        ({"name": "operator_backend", "category": "operator"}, "UP", None),
    ],
)
def test_a_modules_state_follows_from_its_last_signs_and_the_window(
    fields: dict[str, object], status: str, reason: str | None
) -> None:
    assert described(**fields) == (status, reason)


def test_without_the_database_this_server_knows_of_itself_alone() -> None:
    around = Surroundings(NOW, store_up=False, cache_up=False, opened=None)
    states = {row.name: state_of(row, around)["status"] for row in modules.built_in_rows()}
    assert states.pop("madre") == states.pop("redis") == "DOWN"
    assert states.pop("tentaculo_link") == states.pop("operator_backend") == "UP"
    assert set(states.values()) == {"unknown"}


def test_a_port_is_shown_if_there_is_one() -> None:
    assert "port" not in state_of(Module(name="switch", category="optional"), ALL_WELL)
    assert state_of(Module(name="switch", category="optional", port=8002), ALL_WELL)["port"] == 8002


def test_who_publishes_is_seen_and_what_the_server_says_itself_is_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    note_published_modules()
    monkeypatch.setattr(published_modules, "_names", set())
    append_events(1, prefix="a", module="hormiguero")
    append_events(1, prefix="b", module="switch", event_type="chat.message")
    append_events(1, prefix="c", module="spawner", event_type="window.opened")
    append_events(1, prefix="d", module="spawner", event_type="smoke.test")
    append_events(1, prefix="e", module="manifestator", event_type="smoke.test.of_its_own")
    assert published_modules._names == {"hormiguero", "manifestator"}


def test_published_modules_are_written_for_known_modules_and_not_again_at_once() -> None:
    with transaction.atomic():
        mark_seen_many([frozenset({"hermes", "a-stranger"}), frozenset({"switch"})])
    seen = dict(Module.objects.exclude(last_seen=None).values_list("name", "last_seen"))
    assert seen.keys() == {"hermes", "switch"}
    with transaction.atomic():
        mark_seen_many([frozenset({"hermes"})])
    assert Module.objects.get(name="hermes").last_seen == seen["hermes"]


def claimed() -> list[probes.Probe]:
    with transaction.atomic():
        return probes.claim_many([None])[0]


def test_a_module_is_asked_by_whoever_claims_it_first_and_not_before_it_is_due_again() -> None:
    Module.objects.filter(name="hermes").update(probe_url="http://127.0.0.1:1/health")
    assert probes.any_due()
    assert claimed() == [probes.Probe("hermes", "http://127.0.0.1:1/health")]
    assert claimed() == []
    assert not probes.any_due()


def test_what_an_address_that_was_changed_meanwhile_answered_is_not_noted() -> None:
    Module.objects.filter(name="hermes").update(probe_url="http://127.0.0.1:1/new")
    old, new = (probes.Probe("hermes", f"http://127.0.0.1:1/{name}") for name in ("old", "new"))
    for probe, expected in ((old, ""), (new, "answered 500")):
        with transaction.atomic():
            probes.record_many([[probes.Result(probe, "answered 500")]])
        assert Module.objects.get(name="hermes").probe_problem == expected


async def test_probes_tell_good_answers_from_bad_ones_and_from_none() -> None:
    with Assistant() as good, Assistant() as bad, Assistant() as elsewhere:
        bad.status = 503
        elsewhere.status, elsewhere.headers = 302, {"Location": good.url}
        urls = {
            "good": good.url,
            "bad": bad.url,
            "elsewhere": elsewhere.url,
            "away": f"http://127.0.0.1:{free_port()}/",
            "odd": "http://[::1/",
        }
        results = await probes.send_all([probes.Probe(name, url) for name, url in urls.items()])
    assert {result.probe.name: result.problem for result in results} == {
        "good": "",
        "bad": "answered 503",
        "elsewhere": "answered 302",
        "away": "ConnectError",
        "odd": "InvalidURL",
    }
    assert len(good.questions) == 1


@pytest.mark.parametrize("text", ["http://hermes:8003/health", "https://127.0.0.1/", "http://[::1]:80/x?y=z"])
def test_addresses_to_ask_may_be_of_any_host(text: str) -> None:
    check_probe_url(text)


@pytest.mark.parametrize(
    "text", ["ftp://hermes/", "file:///etc/passwd", "hermes:8003", "http://", "http://me:secret@hermes/", "http://a b/"]
)
def test_addresses_that_cannot_or_must_not_be_asked_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        check_probe_url(text)


@pytest.mark.usefixtures("ending")
async def test_two_processes_expire_a_window_once_and_ask_each_module_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_tasks, "EXPIRY_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(background_tasks, "WRITE_SECONDS", 0.02)
    with Assistant() as module:
        await sync_to_async(_one_of_each)(module.url)
        processes = [BackgroundTasks(), BackgroundTasks()]
        for process in processes:
            process.start()
            process.start()
        try:
            await until(lambda: module.questions)
            async with asyncio.timeout(10):
                while await sync_to_async(_unfinished)():  # noqa: ASYNC110 - the database has no event of its own
                    await asyncio.sleep(0.01)
        finally:
            for process in processes:
                await process.stop()
    assert await sync_to_async(types_told)() == ["window.opened", "window.expired"]
    assert len(module.questions) == 1


def _one_of_each(url: str) -> None:
    opened(opening("switch"))
    Window.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    Module.objects.filter(name="hermes").update(probe_url=url)


def _unfinished() -> bool:
    return (
        Window.objects.filter(closed_at=None).exists() or Module.objects.filter(name="hermes", probed_at=None).exists()
    )
