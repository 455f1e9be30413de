"""Revoking tickets: those that may still open a stream are found, each once, and are on record as revoked."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from gateway.identity import console_sessions, revocation
from gateway.identity.actors import acting
from gateway.identity.lifetimes import CLOCKS_DIFFER
from gateway.identity.revocation import Live, live_tickets
from gateway.models import EndedTicket, RightsVersion, TokenAudit
from ledger import clock

pytestmark = pytest.mark.usefixtures("ledger")
Action = TokenAudit.Action


def issued(ticket_id: str, principal_id: str = "p-1", *, seconds_ago: float = 0) -> Live:
    at = clock.now() - timedelta(seconds=seconds_ago)
    live = Live(ticket_id, principal_id, "reader")
    row = {name: value for name, value in live._asdict().items() if name != "used"}
    TokenAudit.objects.create(action=Action.TICKET_ISSUED, at=at, **row)
    return live


def used(ticket_id: str) -> None:
    TokenAudit.objects.create(action=Action.TICKET_REDEEMED, ticket_id=ticket_id, principal_id="p-1")


def test_tickets_that_may_still_be_used_are_found_by_principal_by_id_or_all() -> None:
    first, second = issued("t-1", seconds_ago=2), issued("t-2", "p-2", seconds_ago=1)
    assert live_tickets() == [first, second]
    assert live_tickets(principal_id="p-2") == [second]
    assert live_tickets(ticket_ids=["t-1", "t-9"]) == [first]
    assert live_tickets(ticket_ids=[]) == []
    assert live_tickets(principal_id="p-2", ticket_ids=["t-1"]) == []


def test_a_ticket_is_looked_for_during_its_life_and_what_clocks_may_differ(settings: Settings) -> None:
    settings.SSE_TOKEN_TTL_SECONDS = 60
    limit_seconds = 60 + CLOCKS_DIFFER.total_seconds()
    live = issued("t-1", seconds_ago=limit_seconds - 30)
    issued("t-2", seconds_ago=limit_seconds + 30)
    assert live_tickets() == [live]


def test_a_used_ticket_is_named_as_used_where_one_is_used_once(settings: Settings) -> None:
    live = issued("t-1")
    used("t-1")
    assert live_tickets() == [live._replace(used=True)]
    settings.SSE_TOKEN_SINGLE_USE = False
    assert live_tickets() == [live]


def test_a_revoked_ticket_is_on_record_and_not_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "BATCH_ROWS", 2)
    for number in range(5):
        issued(f"t-{number}")
    used("t-0")
    before = RightsVersion.current()
    with acting("manage.py revoke_tickets"):
        assert list(revocation.revoke(live_tickets(), because="a leak")) == [2, 4, 5]
    assert RightsVersion.current() > before
    assert live_tickets() == []
    names = {f"t-{number}" for number in range(5)}
    assert set(EndedTicket.objects.values_list("ticket_id", flat=True)) == names
    assert console_sessions.ended_tickets() == names
    rows = TokenAudit.objects.filter(action=Action.TICKET_REVOKED)
    # What was used is over anyway.
    assert set(rows.values_list("ticket_id", flat=True)) == names - {"t-0"}
    assert {(row.actor, row.reason, row.principal_id, row.principal_name) for row in rows} == {
        ("manage.py revoke_tickets", "a leak", "p-1", "reader")
    }


def test_two_who_revoke_the_same_tickets_at_once_revoke_them_both() -> None:
    issued("t-1")
    found = live_tickets()
    for _ in range(2):
        assert list(revocation.revoke(found, because="a leak")) == [1]
    assert EndedTicket.objects.count() == 1
