"""What one snapshot of rights answers: every reason to refuse is a reason, and a session is no longer than its row."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway import tokens
from gateway.filters import EVERYTHING, Selection
from gateway.identity.standings import InvalidCredential, Principal, Snapshot, Standing
from ledger import clock

TOKEN = Principal("p-1", "principal", "reader", frozenset({"events:read"}))
USER = Principal("u-1", "session", "alice", frozenset(), generation="first password")


def snapshot(**fields: Any) -> Snapshot:
    known = {one.public_id: Standing(one) for one in (TOKEN, USER)}
    return Snapshot(1, {tokens.digest("text"): known["p-1"]}, known, **fields)


def refusal(found: Snapshot, public_id: str, **named: str) -> tuple[str, str]:
    with pytest.raises(InvalidCredential) as refused:
        found.with_public_id(public_id, **named)
    return refused.value.why, refused.value.public_id


def test_a_token_is_known_by_its_text_and_by_its_public_id() -> None:
    assert snapshot().with_token("text") == snapshot().with_public_id("p-1") == TOKEN
    with pytest.raises(InvalidCredential, match="unknown"):
        snapshot().with_token("other")
    assert refusal(snapshot(), "p-2") == ("unknown", "")


def test_who_is_barred_may_not_call_and_the_reason_is_kept() -> None:
    with pytest.raises(InvalidCredential, match="revoked") as refused:
        Standing(TOKEN, "revoked").admit()
    assert (refused.value.why, refused.value.public_id) == ("revoked", "p-1")


def test_a_token_is_good_until_it_expires_and_not_at_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    lasting = replace(TOKEN, expires_at=now + timedelta(microseconds=1))
    assert Standing(lasting).admit() == lasting
    for over in (now, now - timedelta(days=1)):
        with pytest.raises(InvalidCredential, match="expired") as refused:
            Standing(replace(TOKEN, expires_at=over)).admit()
        assert refused.value.public_id == "p-1"


def test_what_was_ended_or_revoked_is_refused() -> None:
    ended = snapshot(ended_sessions=frozenset({"s-1"}), ended_tickets=frozenset({"t-1"}))
    assert refusal(ended, "u-1", session_id="s-1") == ("signed out", "u-1")
    assert refusal(ended, "p-1", ticket_id="t-1") == ("ticket revoked", "p-1")
    assert ended.with_public_id("u-1", session_id="s-2").session_id == "s-2"
    assert ended.with_public_id("p-1", ticket_id="t-2") == TOKEN


def test_a_session_ends_with_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    ends = {"row": now + timedelta(microseconds=1), "over": now}
    found = snapshot(session_ends=ends)
    assert found.with_public_id("u-1", session_id="s-1", session_row="row") == replace(
        USER, session_id="s-1", session_row="row", expires_at=ends["row"]
    )
    assert refusal(found, "u-1", session_id="s-1", session_row="over") == ("expired", "u-1")
    assert refusal(found, "u-1", session_id="s-1", session_row="gone") == ("session over", "u-1")


def test_without_its_row_a_session_is_named_and_does_not_expire() -> None:
    assert snapshot().with_public_id("u-1", session_id="s-1") == replace(USER, session_id="s-1")


def test_a_principal_is_still_the_same_until_its_password_changes() -> None:
    before = snapshot().with_public_id("u-1", session_id="s-1")
    assert snapshot().still(before) == before
    with pytest.raises(InvalidCredential, match="password changed") as refused:
        snapshot().still(replace(before, generation="other"))
    assert refused.value.public_id == "u-1"
    with pytest.raises(InvalidCredential, match="signed out"):
        snapshot(ended_sessions=frozenset({"s-1"})).still(before)


def test_a_principal_sees_its_modules_or_everything() -> None:
    assert TOKEN.selection == EVERYTHING
    assert replace(TOKEN, modules=frozenset({"madre"})).selection == Selection(modules=frozenset({"madre"}))
