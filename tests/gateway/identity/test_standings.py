"""What ends a principal's rights, from values alone: its session, its ticket, its password."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.identity.standings import InvalidCredential, Principal, Snapshot, Standing

OPERATOR = Principal("u-1", "session", "operator", frozenset({"events:read"}), generation="of this password")
ENDS_AT = timezone.now() + timedelta(hours=1)
IN_SESSION = dataclasses.replace(OPERATOR, session_id="s-1", session_row="row-1", expires_at=ENDS_AT)


def snapshot(principal: Principal = OPERATOR, **fields: Any) -> Snapshot:
    values = {"session_ends": {"row-1": ENDS_AT}, **fields}
    return Snapshot(1, {}, {principal.public_id: Standing(principal)}, **values)


def why(known: Snapshot, before: Principal) -> str:
    with pytest.raises(InvalidCredential) as raised:
        known.still(before)
    assert raised.value.public_id == "u-1"
    return raised.value.why


def test_a_principal_keeps_its_rights_while_its_session_and_password_last() -> None:
    assert snapshot().still(IN_SESSION) == IN_SESSION
    assert snapshot(ended_sessions=frozenset({"s-2"})).still(IN_SESSION) == IN_SESSION


def test_a_session_that_was_signed_out_of_ends_them() -> None:
    assert why(snapshot(ended_sessions=frozenset({"s-1"})), IN_SESSION) == "signed out"


def test_a_session_whose_row_is_gone_ends_them() -> None:
    assert why(snapshot(session_ends={}), IN_SESSION) == "session over"


def test_a_session_whose_time_is_over_ends_them() -> None:
    assert why(snapshot(session_ends={"row-1": timezone.now() - timedelta(seconds=1)}), IN_SESSION) == "expired"


def test_another_password_ends_them() -> None:
    assert why(snapshot(dataclasses.replace(OPERATOR, generation="another")), IN_SESSION) == "password changed"


def test_a_ticket_that_was_revoked_names_its_principal_no_more() -> None:
    known = snapshot(ended_tickets=frozenset({"t-1"}))
    with pytest.raises(InvalidCredential, match="ticket revoked"):
        known.with_public_id("u-1", ticket_id="t-1")
    assert known.with_public_id("u-1", ticket_id="t-2") == OPERATOR
