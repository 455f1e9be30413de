"""After a restored copy: sessions and tickets are ended unless they are to be kept, and people read what to check."""

from datetime import timedelta

import pytest
import redis
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from pytest_django import Settings

from gateway.identity import revival, tickets
from gateway.models import RightsVersion
from ledger import clock
from tests.gateway.identity.test_ticket_store import issued
from tests.gateway.shared_store.redis_store import using
from tests.stores import PrivateRedis

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def sessions(ledger: None) -> None:
    for number in range(2):
        Session.objects.create(session_key=f"key-{number}", expire_date=clock.now() + timedelta(hours=1))


@pytest.mark.usefixtures("sessions")
def test_all_sessions_are_ended_and_every_process_reads_rights_again() -> None:
    before = RightsVersion.current()
    assert list(revival.report(keep_sessions=False)) == [
        revival.LOST,
        "2 sessions are ended: all users sign in again.",
        "Tickets of before open nothing.",
    ]
    assert not Session.objects.exists()
    assert RightsVersion.current() > before
    # Also when there were no sessions.
    before = RightsVersion.current()
    assert revival.end_sessions() == 0
    assert RightsVersion.current() > before


@pytest.mark.usefixtures("sessions")
def test_sessions_that_are_to_be_kept_are_and_that_is_said() -> None:
    before = RightsVersion.current()
    lost, kept = revival.report(keep_sessions=True)
    assert lost == revival.LOST
    assert kept.startswith("Sessions and tickets are kept")
    assert Session.objects.count() == 2
    assert RightsVersion.current() == before


async def test_tickets_of_before_open_nothing(settings: Settings) -> None:
    with PrivateRedis() as server, using(server, settings):
        text, ticket = await issued()
        assert await tickets.find(text) == ticket
        await sync_to_async(lambda: list(revival.report(keep_sessions=False)))()
        assert await tickets.find(text) is None


def test_a_store_that_does_not_answer_leaves_tickets_for_their_time_and_that_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise redis.ConnectionError

    settings.SSE_TOKEN_TTL_SECONDS = 77
    monkeypatch.setattr(tickets, "remove_all", fail)
    *_, last = revival.report(keep_sessions=False)
    assert last == "Redis does not answer (ConnectionError): tickets of before are good for up to 77 s."
