"""Refused credentials: the answer does not say why, the counters say how many."""

import pytest
from prometheus_client import REGISTRY

from gateway import tokens
from gateway.filters import EVERYTHING, BadFilter, Selection
from gateway.http.authentication import Caller, narrowed, refused_credential, with_header
from gateway.http.errors import REASONS, ApiError
from gateway.identity.principals import InvalidCredential

pytestmark = pytest.mark.usefixtures("ledger")

CALLER = Caller("192.0.2.1", "c-1")
HEADER = [(b"x-vx11-token", b"a-token-that-nobody-issued")]


def failures(reason: str) -> float:
    return REGISTRY.get_sample_value("vx11_sse_auth_failures_total", {"reason": reason}) or 0.0


def invalid_tokens() -> float:
    return REGISTRY.get_sample_value("vx11_principal_token_invalid_total") or 0.0


async def test_a_refused_token_is_counted_as_a_failure_and_as_an_invalid_token() -> None:
    before = failures("main_auth_failed"), invalid_tokens()
    with pytest.raises(ApiError, match="main_auth_failed"):
        await with_header(HEADER, CALLER)
    assert (failures("main_auth_failed"), invalid_tokens()) == (before[0] + 1, before[1] + 1)


async def test_a_refused_ticket_is_counted_as_a_failure_only() -> None:
    before = failures("invalid_token"), invalid_tokens()
    await refused_credential("invalid_token", InvalidCredential("unknown or expired"), CALLER)
    assert (failures("invalid_token"), invalid_tokens()) == (before[0] + 1, before[1])


async def test_a_console_user_whose_rights_are_gone_is_no_invalid_token() -> None:
    before = failures("main_auth_failed"), invalid_tokens()
    await refused_credential("main_auth_failed", InvalidCredential("signed out", "u-1"), CALLER)
    assert (failures("main_auth_failed"), invalid_tokens()) == (before[0] + 1, before[1])


async def test_the_label_is_one_of_the_closed_list_and_never_says_why() -> None:
    await refused_credential("main_auth_failed", InvalidCredential("revoked", "p-1"), CALLER)
    with pytest.raises(KeyError):
        await refused_credential("main_auth_failed: revoked", InvalidCredential("revoked", "p-1"), CALLER)
    samples = [sample for family in REGISTRY.collect() for sample in family.samples]
    reasons = {sample.labels["reason"] for sample in samples if sample.name == "vx11_sse_auth_failures_total"}
    assert "main_auth_failed" in reasons
    assert reasons <= set(REASONS)


@pytest.mark.parametrize("field", ["modules", "event_types", "correlation_ids"])
def test_n01_a_token_is_no_value_to_filter_by_for_filters_are_stored(field: str) -> None:
    with pytest.raises(BadFilter, match="a token is no value") as refused:
        narrowed(EVERYTHING, Selection(**{field: frozenset({tokens.mint("principal")})}))
    assert "vx11p_" not in str(refused.value)
