"""The life of a ticket is known in one place, and what is remembered because of it is remembered long enough."""

from datetime import UTC, datetime, timedelta

from pytest_django import Settings

from gateway.identity.lifetimes import longest_ticket_seconds, oldest_live_stream, oldest_live_ticket
from tests.apps import files_with

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_life_of_a_ticket_is_read_in_one_place() -> None:
    assert files_with("settings.SSE_TOKEN_TTL") == ["gateway/identity/lifetimes.py"]


def test_a_ticket_is_remembered_for_its_life_and_for_what_clocks_may_differ(settings: Settings) -> None:
    settings.SSE_TOKEN_TTL_SECONDS = 90
    assert longest_ticket_seconds() == 90
    assert NOW - oldest_live_ticket(NOW) == timedelta(seconds=90, minutes=5)


def test_a_session_is_remembered_for_a_ticket_and_for_two_streams(settings: Settings) -> None:
    settings.SSE_TOKEN_TTL_SECONDS, settings.STREAM_MAX_AGE_SECONDS = 90, 600
    assert NOW - oldest_live_stream(NOW) == timedelta(seconds=90 + 2 * 600)
