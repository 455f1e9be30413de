"""Tokens given by environment: they come and go with it, and an administrator has the last word."""

import logging
from datetime import timedelta

import pytest
from django.db.models import F
from pytest_django import Settings

from gateway import metrics, tokens
from gateway.identity import environment_tokens, principals
from gateway.identity.environment_tokens import GRACE_SECONDS, HOLD_SECONDS, RUNNING_SECONDS, Holding, differences
from gateway.identity.principals import InvalidCredential, Principal
from gateway.models import AccessToken, RightsVersion, TokenHolder
from gateway.scopes import OPERATOR_SCOPES, SERVICE_SCOPES
from tests.events.uptime import Uptime
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")

ONE, TWO = "principal-of-the-environment-1", "principal-of-the-environment-2"
SERVICE = "service-of-the-environment"


class Fleet:
    """Processes that run at the same time, and a clock that moves for all of them."""

    def __init__(self, settings: Settings, uptime: Uptime) -> None:
        self._settings, self._uptime = settings, uptime
        self.running: list[Holding] = []

    def start(self, *, principal: tuple[str, ...] = (), service: tuple[str, ...] = ()) -> Holding:
        """A process starts with these variables."""
        self._settings.PRINCIPAL_TOKENS, self._settings.SERVICE_TOKENS = list(principal), list(service)
        process = Holding()
        process.register()
        self.running.append(process)
        return process

    def restart(self, *, principal: tuple[str, ...] = (), service: tuple[str, ...] = ()) -> None:
        """All that run are replaced by one with these variables, and the grace time passes."""
        self.running.clear()
        self.start(principal=principal, service=service)
        self.wait(GRACE_SECONDS + 2 * HOLD_SECONDS)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / HOLD_SECONDS)):
            self.pass_by(HOLD_SECONDS)
            for process in self.running:
                process.hold()

    def pass_by(self, seconds: float) -> None:
        """Nothing is written in this time."""
        self._uptime.now += seconds
        TokenHolder.objects.update(seen_at=F("seen_at") - timedelta(seconds=seconds))


@pytest.fixture
def fleet(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    uptime = Uptime()
    monkeypatch.setattr(environment_tokens, "uptime_seconds", uptime)
    return Fleet(settings, uptime)


def holder(text: str) -> Principal:
    # Not _read(None), which would register once more.
    known = principals.Snapshot(-1, {}, {})
    return principals._read(known).with_token(text)


def is_valid(text: str) -> bool:
    try:
        return bool(holder(text))
    except InvalidCredential:
        return False


def test_a_token_of_the_environment_has_every_scope_of_its_tier_and_a_service_publishes_for_any_module(
    fleet: Fleet,
) -> None:
    fleet.start(principal=(ONE,), service=(SERVICE,))
    assert (holder(ONE).kind, holder(ONE).scopes) == ("principal", OPERATOR_SCOPES)
    assert (holder(SERVICE).kind, holder(SERVICE).scopes) == ("service", SERVICE_SCOPES)
    assert (holder(SERVICE).publishes_for, holder(SERVICE).default_module) == (None, "operator_backend")


def test_its_text_is_stored_nowhere(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    token = AccessToken.objects.get(digest=tokens.digest(ONE))
    assert not any(ONE in str(value) for value in vars(token).values())


def test_starting_again_makes_nothing_new(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    fleet.start(principal=(ONE,))
    assert AccessToken.objects.count() == 1


def test_several_allow_rotation(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    fleet.restart(principal=(ONE, TWO))
    assert is_valid(ONE)
    assert is_valid(TWO)
    fleet.restart(principal=(TWO,))
    assert not is_valid(ONE)
    assert is_valid(TWO)


def test_one_that_comes_back_is_valid_again_under_its_old_name(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    before = holder(ONE).public_id
    fleet.restart()
    assert not is_valid(ONE)
    fleet.start(principal=(ONE,))
    assert holder(ONE).public_id == before


def test_one_that_an_administrator_revoked_stays_revoked(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    AccessToken.objects.revoke(because="leaked")
    fleet.start(principal=(ONE,))
    assert not is_valid(ONE)
    fleet.restart()
    fleet.restart(principal=(ONE,))
    assert not is_valid(ONE)


def test_issued_tokens_do_not_come_and_go_with_the_environment(fleet: Fleet) -> None:
    _, text = issue()
    fleet.start(principal=(ONE,))
    fleet.restart()
    assert is_valid(text)


def test_one_that_moves_to_the_other_variable_becomes_of_the_other_kind(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    fleet.start(service=(ONE,))
    assert (holder(ONE).kind, holder(ONE).scopes) == ("service", SERVICE_SCOPES)
    fleet.start(principal=(ONE,))
    assert (holder(ONE).kind, holder(ONE).scopes) == ("principal", OPERATOR_SCOPES)


def test_one_from_an_older_version_gets_the_scopes_that_its_tier_has_now(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    AccessToken.objects.update(scopes=["events:read"])
    fleet.start(principal=(ONE,))
    assert holder(ONE).scopes == OPERATOR_SCOPES


def test_a_start_that_changes_nothing_makes_no_other_process_read_rights_again(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,), service=(SERVICE,))
    before = RightsVersion.current()
    fleet.start(principal=(ONE,), service=(SERVICE,))
    assert RightsVersion.current() == before


def test_a_backend_disables_none_that_its_gateways_were_given(fleet: Fleet, settings: Settings) -> None:
    fleet.start(principal=(ONE,), service=(SERVICE,))
    settings.ROLE = "backend"
    fleet.start(principal=(TWO,))
    fleet.wait(2 * GRACE_SECONDS)
    assert (is_valid(ONE), is_valid(SERVICE), is_valid(TWO)) == (True, True, False)


def test_a_process_without_secrets_ends_no_token_that_another_one_holds(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,), service=(SERVICE,))
    fleet.start()
    assert is_valid(ONE)
    fleet.wait(5 * GRACE_SECONDS)
    assert (is_valid(ONE), is_valid(SERVICE)) == (True, True)


def test_a_token_is_valid_over_a_restart_and_ends_when_no_process_was_given_it_for_the_grace_time(
    fleet: Fleet,
) -> None:
    fleet.start(principal=(ONE,))
    fleet.wait(20)
    fleet.running.clear()
    fleet.start()
    fleet.wait(GRACE_SECONDS - 2 * HOLD_SECONDS)
    assert is_valid(ONE)
    fleet.wait(3 * HOLD_SECONDS)
    assert not is_valid(ONE)


def test_after_an_outage_of_the_database_no_token_ends_because_its_holder_has_not_written_yet(fleet: Fleet) -> None:
    holds = fleet.start(principal=(ONE,))
    lacks = fleet.start()
    fleet.wait(2 * GRACE_SECONDS)
    fleet.pass_by(10 * GRACE_SECONDS)
    lacks.hold()
    assert is_valid(ONE)
    holds.hold()
    fleet.wait(2 * GRACE_SECONDS)
    assert is_valid(ONE)


def test_a_process_that_was_cut_off_makes_its_token_valid_again_unless_a_person_revoked_it(fleet: Fleet) -> None:
    cut_off = fleet.start(principal=(ONE,))
    fleet.running.clear()
    fleet.start()
    fleet.wait(2 * GRACE_SECONDS)
    assert not is_valid(ONE)
    cut_off.hold()
    assert is_valid(ONE)
    AccessToken.objects.revoke(because="leaked")
    cut_off.hold()
    assert not is_valid(ONE)


def test_holding_what_is_valid_makes_no_other_process_read_rights_again(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    fleet.start()
    before = RightsVersion.current()
    fleet.wait(3 * GRACE_SECONDS)
    assert RightsVersion.current() == before


def test_processes_with_different_tokens_are_found_logged_once_and_counted(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.start(principal=(ONE,), service=(SERVICE,))
    fleet.wait(20)
    assert differences() == (1, {})
    lacks = fleet.start(service=(SERVICE,))
    name = str(AccessToken.objects.get(digest=tokens.digest(ONE)))
    with caplog.at_level(logging.WARNING):
        fleet.wait(RUNNING_SECONDS + 5 * HOLD_SECONDS)
    running, missing = differences()
    assert (running, list(missing.values())) == (2, [[name]])
    assert [name in record.getMessage() for record in caplog.records] == [True]
    lacks.hold()
    assert metrics.ENVIRONMENT_TOKENS_MISSING._value.get() == 1


def test_a_restart_with_other_tokens_is_no_difference(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    fleet.start(principal=(ONE,))
    with caplog.at_level(logging.WARNING):
        fleet.restart(principal=(TWO,))
    assert (differences(), caplog.records) == ((1, {}), [])


def test_rows_of_processes_that_ended_long_ago_go(fleet: Fleet) -> None:
    fleet.start(principal=(ONE,))
    fleet.pass_by(2 * 3600)
    fleet.start(principal=(ONE,))
    assert TokenHolder.objects.count() == 1
