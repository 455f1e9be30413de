"""What is deleted for its age, and what must stay however old it is."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.utils import timezone
from pytest_django import Settings

from events.models import StreamSession
from gateway.identity import console_sessions, environment_tokens
from gateway.jobs import retention, scheduler
from gateway.models import AccessToken, EndedSession, EndedStream, EndedTicket, RightsVersion, TokenAudit
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")
DAY = timedelta(days=1)


def ago(days: float) -> datetime:
    return timezone.now() - days * DAY


def audit(days: float, **fields: str) -> TokenAudit:
    return TokenAudit.objects.create(**{"action": TokenAudit.Action.TICKET_ISSUED, "at": ago(days), **fields})


def stream(*, closed_days_ago: float | None) -> StreamSession:
    closed_at = None if closed_days_ago is None else ago(closed_days_ago)
    return StreamSession.objects.create(
        id=uuid.uuid4(), node=uuid.uuid4(), cursor="a-1", opened_at=ago(200), closed_at=closed_at
    )


def purge(days: float = 90) -> retention.Counts:
    deleted = retention.purge(ago(days), actor="a test", after_batch=lambda _name, _rows: None)
    return {name: rows for name, rows in deleted.items() if rows}


def test_audit_rows_go_when_they_are_old_and_not_before() -> None:
    audit(91)
    young = audit(89)
    assert purge() == {"audit rows": 1}
    assert list(TokenAudit.objects.exclude(action="purged")) == [young]


def test_what_was_purged_is_in_the_audit() -> None:
    audit(91)
    stream(closed_days_ago=91)
    purge()
    row = TokenAudit.objects.get(action="purged")
    assert (row.actor, row.count, row.reason) == ("a test", 2, "1 audit rows, 1 closed streams")


def test_a_purge_of_nothing_leaves_no_trace() -> None:
    assert purge() == {}
    assert not TokenAudit.objects.exists()


def many_old(count: int) -> None:
    TokenAudit.objects.bulk_create(TokenAudit(action=TokenAudit.Action.TICKET_ISSUED, at=ago(91)) for _ in range(count))


def test_n09_nearly_all_of_a_kind_goes_only_when_that_is_meant_and_the_other_kinds_go() -> None:
    many_old(120)
    audit(1)
    stream(closed_days_ago=91)
    with pytest.raises(retention.NearlyAll, match="120 of 121 audit rows"):
        purge()
    assert TokenAudit.objects.filter(action=TokenAudit.Action.TICKET_ISSUED).count() == 121
    assert not StreamSession.objects.exists()
    assert TokenAudit.objects.get(action="purged").reason == "1 closed streams"
    deleted = retention.purge(ago(90), actor="a test", after_batch=lambda _name, _rows: None, even_nearly_all=True)
    assert deleted["audit rows"] == 120


def test_n09_of_a_table_with_enough_young_rows_the_old_ones_go() -> None:
    many_old(120)
    TokenAudit.objects.bulk_create(TokenAudit(action=TokenAudit.Action.TICKET_ISSUED) for _ in range(14))
    assert purge() == {"audit rows": 120}


@pytest.mark.parametrize("model", [EndedSession, EndedStream, EndedTicket])
def test_n09_notes_that_live_for_minutes_are_over_all_at_once(model: Any) -> None:
    model.objects.bulk_create(model(pk=f"x{number}", at=ago(91)) for number in range(120))
    assert sum(purge().values()) == 120


def test_n05_the_chore_of_a_process_whose_clock_is_ahead_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    TokenAudit.objects.bulk_create(TokenAudit(action=TokenAudit.Action.TICKET_ISSUED) for _ in range(120))
    later = timezone.now() + 100 * DAY
    monkeypatch.setattr(timezone, "now", lambda: later)
    if connection.vendor == "postgresql":
        assert retention._purge_as_chore(lambda: None) == "deleted nothing"
    else:
        with pytest.raises(scheduler.ChoreRefused, match="120 of 120 audit rows; if that is meant: manage.py"):
            retention._purge_as_chore(lambda: None)
    assert TokenAudit.objects.count() == 120


def test_n12_what_was_revoked_stays_so_in_a_process_whose_clock_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no other clock than this process's")
    EndedTicket.objects.create(ticket_id="t-1")
    console_sessions.end("key")
    later = timezone.now() + 100 * DAY
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert console_sessions.ended_tickets() == {"t-1"}
    assert console_sessions.ended() == {console_sessions.session_id("key")}


def test_an_open_stream_stays_however_old() -> None:
    stream(closed_days_ago=91)
    young, open_one = stream(closed_days_ago=89), stream(closed_days_ago=None)
    assert purge() == {"closed streams": 1}
    assert set(StreamSession.objects.values_list("pk", flat=True)) == {young.pk, open_one.pk}


def test_tokens_go_when_they_have_been_dead_for_so_long() -> None:
    named = {name: issue()[0] for name in ("valid", "revoked", "expired", "just revoked", "just expired")}
    for name, change in {
        "revoked": {"revoked_at": ago(91)},
        "expired": {"expires_at": ago(91)},
        "just revoked": {"revoked_at": ago(89)},
        "just expired": {"expires_at": ago(89)},
    }.items():
        AccessToken.objects.filter(pk=named[name].pk).update(**change)
    before = RightsVersion.current()
    assert purge()["dead tokens"] == 2
    assert RightsVersion.current() > before
    deletions = TokenAudit.objects.filter(action="token_deleted").values_list("principal_id", "actor")
    assert set(deletions) == {(named[name].public_id, "a test") for name in ("revoked", "expired")}
    left = set(AccessToken.objects.values_list("pk", flat=True))
    assert left == {named[name].pk for name in ("valid", "just revoked", "just expired")}


def test_a_dead_token_that_somebody_still_tries_stays_until_they_stop() -> None:
    token, _ = issue()
    AccessToken.objects.filter(pk=token.pk).update(revoked_at=ago(200))
    audit(5, action=TokenAudit.Action.REFUSED, principal_id=token.public_id)
    assert "dead tokens" not in purge()
    assert purge(4) == {"audit rows": 1, "dead tokens": 1}


def test_a_token_of_the_environment_that_was_revoked_does_not_come_back_by_a_purge(settings: Settings) -> None:
    settings.PRINCIPAL_TOKENS = ["a-token-of-more-than-sixteen-characters"]
    environment_tokens.the_holding.register()
    AccessToken.objects.all().revoke(because="stolen")
    AccessToken.objects.all().update(revoked_at=ago(500))
    purge()
    environment_tokens.the_holding.register()
    assert [token.state for token in AccessToken.objects.all()] == ["revoked"]


def test_what_ends_sessions_streams_and_tickets_goes_when_nothing_can_be_left_of_them(settings: Settings) -> None:
    settings.STREAM_MAX_AGE_SECONDS = 3600
    for hours in (1, 3):
        at = timezone.now() - timedelta(hours=hours)
        EndedSession.objects.create(session_id=f"s{hours}", at=at)
        EndedStream.objects.create(stream_id=f"s{hours}", at=at)
        EndedTicket.objects.create(ticket_id=f"t-{hours}", at=at)
    assert purge() == {"signed-out sessions": 1, "disconnected streams": 1, "revoked tickets": 1}
    assert (EndedSession.objects.get().pk, EndedStream.objects.get().pk) == ("s1", "s1")


def test_sign_ins_that_have_expired_go() -> None:
    for key, days in (("old", 0.1), ("valid", -1)):
        Session.objects.create(session_key=key, session_data="", expire_date=ago(days))
    assert purge() == {"expired sign-ins": 1}
    assert Session.objects.get().pk == "valid"


def test_a_count_is_what_a_purge_then_deletes() -> None:
    for _ in range(3):
        audit(91)
    stream(closed_days_ago=100)
    token, _ = issue()
    AccessToken.objects.filter(pk=token.pk).update(revoked_at=ago(100))
    counted = {name: rows for name, rows in retention.count(ago(90)).items() if rows}
    assert counted == {"audit rows": 3, "closed streams": 1, "dead tokens": 1}
    assert purge() == counted


def test_every_batch_is_a_transaction_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    for _ in range(5):
        audit(91)
    left: list[int] = []

    def after_batch(_name: str, _rows: int) -> None:
        # What another connection sees is what is committed.
        left.append(in_another_connection(TokenAudit.objects.count))

    retention.purge(ago(90), actor="a test", after_batch=after_batch)
    assert left == [3, 1, 0]


def in_another_connection(read: Callable[[], int]) -> int:
    def run() -> int:
        try:
            return read()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(10)


def test_a_purge_that_is_stopped_says_in_the_audit_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    for _ in range(5):
        audit(91)

    def stop(_name: str, _rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retention.purge(ago(90), actor="a test", after_batch=stop)
    assert TokenAudit.objects.get(action="purged").reason == "2 audit rows"
    assert TokenAudit.objects.exclude(action="purged").count() == 3
