"""Tokens given by environment: they come and go with it, and an administrator has the last word."""

import pytest
from pytest_django import Settings

from gateway import tokens
from gateway.identity import environment_tokens, principals
from gateway.identity.principals import InvalidCredential, Principal
from gateway.models import AccessToken, RightsVersion
from gateway.scopes import OPERATOR_SCOPES, SERVICE_SCOPES
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")

ONE, TWO = "principal-of-the-environment-1", "principal-of-the-environment-2"
SERVICE = "service-of-the-environment"


def start(settings: Settings, *, principal: tuple[str, ...] = (), service: tuple[str, ...] = ()) -> None:
    """A process starts with these variables."""
    settings.PRINCIPAL_TOKENS, settings.SERVICE_TOKENS = list(principal), list(service)
    environment_tokens.register()


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
    settings: Settings,
) -> None:
    start(settings, principal=(ONE,), service=(SERVICE,))
    assert (holder(ONE).kind, holder(ONE).scopes) == ("principal", OPERATOR_SCOPES)
    assert (holder(SERVICE).kind, holder(SERVICE).scopes) == ("service", SERVICE_SCOPES)
    assert (holder(SERVICE).publishes_for, holder(SERVICE).default_module) == (None, "operator_backend")


def test_its_text_is_stored_nowhere(settings: Settings) -> None:
    start(settings, principal=(ONE,))
    token = AccessToken.objects.get(digest=tokens.digest(ONE))
    assert not any(ONE in str(value) for value in vars(token).values())


def test_starting_again_makes_nothing_new(settings: Settings) -> None:
    start(settings, principal=(ONE,))
    start(settings, principal=(ONE,))
    assert AccessToken.objects.count() == 1


def test_several_allow_rotation(settings: Settings) -> None:
    start(settings, principal=(ONE,))
    start(settings, principal=(ONE, TWO))
    assert is_valid(ONE)
    assert is_valid(TWO)
    start(settings, principal=(TWO,))
    assert not is_valid(ONE)
    assert is_valid(TWO)


def test_one_that_comes_back_is_valid_again_under_its_old_name(settings: Settings) -> None:
    start(settings, principal=(ONE,))
    before = holder(ONE).public_id
    start(settings)
    assert not is_valid(ONE)
    start(settings, principal=(ONE,))
    assert holder(ONE).public_id == before


def test_one_that_an_administrator_revoked_stays_revoked(settings: Settings) -> None:
    start(settings, principal=(ONE,))
    AccessToken.objects.revoke(because="leaked")
    start(settings, principal=(ONE,))
    assert not is_valid(ONE)
    start(settings)
    start(settings, principal=(ONE,))
    assert not is_valid(ONE)


def test_issued_tokens_do_not_come_and_go_with_the_environment(settings: Settings) -> None:
    _, text = issue()
    start(settings, principal=(ONE,))
    start(settings)
    assert is_valid(text)


def test_one_that_moves_to_the_other_variable_becomes_of_the_other_kind(settings: Settings) -> None:
    start(settings, principal=(ONE,))
    start(settings, service=(ONE,))
    assert (holder(ONE).kind, holder(ONE).scopes) == ("service", SERVICE_SCOPES)
    start(settings, principal=(ONE,))
    assert (holder(ONE).kind, holder(ONE).scopes) == ("principal", OPERATOR_SCOPES)


def test_one_from_an_older_version_gets_the_scopes_that_its_tier_has_now(settings: Settings) -> None:
    start(settings, principal=(ONE,))
    AccessToken.objects.update(scopes=["events:read"])
    start(settings, principal=(ONE,))
    assert holder(ONE).scopes == OPERATOR_SCOPES


def test_a_start_that_changes_nothing_makes_no_other_process_read_rights_again(settings: Settings) -> None:
    start(settings, principal=(ONE,), service=(SERVICE,))
    before = RightsVersion.current()
    start(settings, principal=(ONE,), service=(SERVICE,))
    assert RightsVersion.current() == before


def test_a_backend_disables_none_that_its_gateways_were_given(settings: Settings) -> None:
    start(settings, principal=(ONE,), service=(SERVICE,))
    settings.ROLE = "backend"
    start(settings, principal=(TWO,))
    assert (is_valid(ONE), is_valid(SERVICE), is_valid(TWO)) == (True, True, False)
