"""What the doctor makes of a clock, of limits, of files and of chores, and how it tells that."""

import shutil
import time
import uuid
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from events.models import LogHead, StreamSession
from gateway.models import AccessToken, Chore, TokenAudit
from gateway.redaction import given_texts
from tests.events.index.stores import index_all, make_store
from tests.events.samples import append_events, grow_older
from vx11_site.doctor import access, configuration, database, log, machine, redis
from vx11_site.doctor.examination import examine
from vx11_site.doctor.findings import Area, Finding, Level, as_json, as_lines, fail, masked, ok, warn


def levels(findings: Iterable[Finding]) -> list[str]:
    return [finding.level.value for finding in findings]


def test_whatever_is_not_ok_says_how_to_repair_it() -> None:
    with pytest.raises(ValueError, match="repair"):
        Finding(Level.WARN, "something is odd")


def test_lines_are_aligned_and_a_repair_has_a_line_of_its_own() -> None:
    diagnosis = [("disk", ok("fine")), ("database", fail("away", "start it"))]
    assert list(as_lines(diagnosis, lambda _level, text: text)) == [
        "OK    disk      fine",
        "FAIL  database  away",
        "                -> start it",
    ]


def test_json_says_what_the_exit_code_says() -> None:
    assert as_json([("disk", warn("odd", "look"))])["ok"] is True
    report = as_json([("disk", ok("fine")), ("database", fail("away", "start it"))])
    assert report == {
        "ok": False,
        "findings": [
            {"area": "disk", "level": "OK", "found": "fine", "repair": ""},
            {"area": "database", "level": "FAIL", "found": "away", "repair": "start it"},
        ],
    }


def test_secrets_of_the_settings_are_masked_wherever_they_stand(
    settings: Settings, request: pytest.FixtureRequest
) -> None:
    given_texts.cache_clear()
    request.addfinalizer(given_texts.cache_clear)
    settings.PRINCIPAL_TOKENS = ["token-of-a-principal"]
    settings.REDIS_URL = "redis://:p%40ss-word@127.0.0.1/0"
    shown = masked(f"{settings.SECRET_KEY} token-of-a-principal p%40ss-word p@ss-word {settings.REDIS_URL}")
    assert shown == "*** *** *** *** redis://:***@127.0.0.1/0"


def test_a_short_password_is_masked_where_it_stands_and_not_in_other_words(settings: Settings) -> None:
    settings.REDIS_URL = "redis://:p@127.0.0.1/0"
    assert masked(f"port 1 of {settings.REDIS_URL} compared") == "port 1 of redis://:***@127.0.0.1/0 compared"


def test_a_probe_that_hangs_is_named_and_what_others_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vx11_site.doctor.examination.LIMIT_SECONDS", 0.2)

    def hang() -> Iterable[Finding]:
        yield ok("begun")
        time.sleep(3)

    def fall() -> Iterable[Finding]:
        raise OSError("no route\n to host")

    started = time.monotonic()
    diagnosis, hangs = examine([Area("hangs", hang, "wake it"), Area("falls", fall, "lift it")])
    assert time.monotonic() - started < 2
    assert hangs
    assert [(area, finding.level.value, finding.text, finding.repair) for area, finding in diagnosis] == [
        ("hangs", "OK", "begun", ""),
        ("hangs", "FAIL", "no answer within 0 s", "wake it"),
        ("falls", "FAIL", "OSError: no route to host", "lift it"),
    ]


@pytest.mark.parametrize(
    ("ahead_seconds", "expected"), [(0, "OK"), (1.5, "OK"), (-3, "WARN"), (3, "WARN"), (31, "FAIL"), (-90, "FAIL")]
)
def test_a_clock_that_is_off_is_a_warning_and_soon_a_failure(ahead_seconds: float, expected: str) -> None:
    finding = machine._compared("the database", lambda: time.time() + ahead_seconds)
    assert finding.level.value == expected
    assert expected == "OK" or ("ahead" in finding.text) == (ahead_seconds > 0)


def test_more_streams_than_files_are_a_warning(settings: Settings) -> None:
    settings.MAX_STREAMS = 0
    assert machine._files().level is Level.OK
    settings.MAX_STREAMS = 10**6
    finding = machine._files()
    assert finding.level is Level.WARN
    assert "1000000" in finding.text


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(("free_mib", "expected"), [(50, "FAIL"), (500, "WARN"), (5000, "OK")])
def test_a_disk_that_fills_up_is_a_warning_and_then_a_failure(
    monkeypatch: pytest.MonkeyPatch, free_mib: int, expected: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 0, free_mib * 2**20))
    assert machine._disk().level.value == expected


def test_a_key_that_others_can_read_is_a_failure(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    tmp_path.chmod(0o700)
    key = tmp_path / "secret_key"
    key.touch(0o600)
    key.chmod(0o600)
    assert levels(configuration.probe_secrets()) == ["OK"]
    key.chmod(0o640)
    assert levels(configuration.probe_secrets()) == ["FAIL"]


def test_a_file_with_a_token_that_everybody_can_read_is_a_failure(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    tmp_path.chmod(0o755)
    file = tmp_path / "token"
    file.touch()
    file.chmod(0o644)
    monkeypatch.setenv("VX11_SERVICE_TOKEN_FILE", str(file))
    assert levels(configuration.probe_secrets()) == ["WARN", "FAIL"]


def test_what_matters_in_public_only_is_told_in_a_line_at_home_and_fails_in_public(settings: Settings) -> None:
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "", ["localhost", "[::1]"]
    settings.AUDIT_RETENTION_DAYS = 1
    (at_home,) = configuration.probe()
    assert at_home.level is Level.OK
    assert "check --deploy" in at_home.text
    settings.ALLOWED_HOSTS = ["operator.example.org"]
    found = {finding.text.rpartition("(")[2]: finding.level.value for finding in configuration.probe()}
    assert found["vx11.E010)"] == "FAIL"
    assert found["vx11.W009)"] == "WARN"


def test_a_setting_that_is_never_safe_fails_at_home_too(settings: Settings) -> None:
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "", ["localhost"]
    settings.PRINCIPAL_TOKENS = ["short"]
    assert any("vx11.E001" in finding.text for finding in configuration.probe() if finding.level is Level.FAIL)


@pytest.mark.usefixtures("ledger")
class TestWithDatabase:
    def test_a_log_within_its_retention_is_well(self) -> None:
        append_events(3)
        assert levels(log.probe()) == ["OK"]

    def test_so_many_events_are_kept_as_the_database_has_room_for(self, settings: Settings) -> None:
        rows = 100_000_000 if connection.vendor == "postgresql" else 10_000_000
        assert rows == settings.EVENT_RETENTION_ROWS

    def test_a_log_whose_next_partition_cannot_be_made_is_a_warning(self) -> None:
        append_events(1)
        head = LogHead.objects.get()
        head.last_seq = 9_500_000
        head.save()
        found = [finding for finding in log.probe() if "partitions for 499999 more events only" in finding.text]
        assert levels(found) == (["WARN"] if connection.vendor == "postgresql" else [])

    def test_a_log_that_nobody_prunes_is_a_warning(self, settings: Settings) -> None:
        append_events(10)
        settings.EVENT_RETENTION_ROWS = 5
        grow_older(2, timedelta(days=settings.EVENT_RETENTION_DAYS + 2))
        assert levels(log.probe()) == ["WARN", "WARN"]

    def test_the_index_is_well_while_few_events_are_missing(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        store = make_store(tmp_path)
        monkeypatch.setattr(log, "the_store", lambda: store)
        append_events(3)
        assert [finding.text for finding in log.probe_index()] == ["not made yet: a server makes it"]
        index_all(store)
        append_events(2, prefix="n")
        (finding,) = log.probe_index()
        assert finding.text.startswith("2 of 5 events are not indexed yet, ")
        assert finding.level is Level.OK
        monkeypatch.setattr(log, "BEHIND_LIMIT_EVENTS", 1)
        assert levels(log.probe_index()) == ["WARN"]
        store._damage.note()  # type: ignore[attr-defined]
        assert levels(log.probe_index()) == ["WARN"]
        settings.SEARCH_INDEX = False
        (finding,) = log.probe_index()
        assert finding.text.startswith("off")
        store.remove()

    @pytest.mark.parametrize(
        ("due_hours_ago", "outcome", "expected"),
        [(-0.5, "deleted nothing", "OK"), (-0.5, "failed: ZeroDivisionError", "WARN"), (2, "deleted nothing", "WARN")],
    )
    def test_a_chore_that_failed_or_is_overdue_is_a_warning(
        self, due_hours_ago: float, outcome: str, expected: str
    ) -> None:
        now = timezone.now()
        due_at = now - timedelta(hours=due_hours_ago)
        Chore.objects.create(name="prune_events", due_at=due_at, started_at=now, ended_at=now, outcome=outcome)
        (finding,) = (finding for finding in log.probe_chores() if finding.text.startswith("prune_events"))
        assert finding.level.value == expected
        assert (outcome in finding.text) == (due_hours_ago < 0)

    @pytest.mark.parametrize(
        ("made_days_ago", "ends_in_days", "state", "expected"),
        [
            (60, 3, "valid", "WARN"),
            (60, 8, "valid", "OK"),
            # Somebody has seen to it.
            (60, 3, "revoked", "OK"),
            (60, 3, "user disabled", "OK"),
            # It is over, or was never meant to last.
            (60, -1, "expired", "OK"),
            (1, 1, "valid", "OK"),
        ],
    )
    def test_a_token_that_was_made_to_last_is_named_before_it_ends(
        self, made_days_ago: int, ends_in_days: int, state: str, expected: str
    ) -> None:
        now = timezone.now()
        ends = now + timedelta(ends_in_days)
        token, _ = AccessToken.issue("service", "a publisher", scopes=frozenset(), expires_at=ends)
        revoked = now if state == "revoked" else None
        owner = User.objects.create_user("ann", is_active=False) if state == "user disabled" else None
        AccessToken.objects.update(created_at=now - timedelta(made_days_ago), revoked_at=revoked, user=owner)
        token.refresh_from_db()
        assert token.state == state
        (finding,) = access.probe_tokens()
        assert finding.level.value == expected
        assert (f"{token.public_id} (a publisher)" in finding.text) == (expected == "WARN")

    def test_a_database_in_order_has_no_failure(self) -> None:
        found = list(database.probe())
        assert "FAIL" not in levels(found)
        assert any("migrations are up to date" in finding.text for finding in found)


INFO = {"maxmemory": 0, "used_memory": 10 * 2**20, "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, ["OK", "OK"]),
        ({"maxmemory_policy": "allkeys-lru"}, ["WARN", "OK"]),
        ({"maxmemory_policy": "volatile-ttl", "maxmemory": 2**30}, ["FAIL", "OK"]),
        ({"maxmemory": 11 * 2**20}, ["OK", "WARN"]),
    ],
)
def test_a_redis_that_may_evict_or_fill_up_is_named(info: dict[str, object], expected: list[str]) -> None:
    assert levels(redis._memory({**INFO, **info})) == expected


@pytest.mark.parametrize(
    ("info", "expected"), [({}, "OK"), ({"aof_enabled": 1}, "OK"), ({"rdb_last_bgsave_status": "err"}, "WARN")]
)
def test_a_redis_whose_copies_fail_is_named(info: dict[str, object], expected: str) -> None:
    assert redis._persistence(info).level.value == expected


@pytest.mark.usefixtures("ledger")
def test_a_principal_near_its_limits_is_named_with_the_setting(settings: Settings) -> None:
    settings.MAX_STREAMS_PER_PRINCIPAL, settings.TOKEN_RATE = 10, (5, 60)
    now = timezone.now()
    # In the middle of a window of the rate, so that all are in the same one.
    at = now.replace(second=0, microsecond=0) - timedelta(seconds=30)
    for principal, number in (("p_many", 8), ("p_few", 7)):
        for _ in range(number):
            StreamSession.objects.create(
                id=uuid.uuid4(), node=uuid.uuid4(), principal_id=principal, cursor="a-1", opened_at=now
            )
    TokenAudit.objects.bulk_create(
        TokenAudit(action=TokenAudit.Action.TICKET_ISSUED, principal_id=principal, at=at)
        for principal in ("p_quick", "p_quick", "p_quick", "p_quick", "p_slow")
    )
    found = {finding.text.partition(" ")[0]: finding for finding in access.probe_tokens() if finding.text[:2] == "p_"}
    assert set(found) == {"p_many", "p_quick"}
    assert "VX11_MAX_STREAMS_PER_PRINCIPAL is 10" in found["p_many"].text
    assert "VX11_TOKEN_RATE allows 5" in found["p_quick"].text
