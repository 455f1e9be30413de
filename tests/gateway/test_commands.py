"""manage.py issue_token, revoke_token and list_tokens."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway import tokens
from gateway.identity import principals
from gateway.identity.principals import Principal
from gateway.models import AccessToken, TokenAudit
from gateway.scopes import DEFAULT_SCOPES
from tests.gateway.samples import create_user, issue

pytestmark = pytest.mark.usefixtures("ledger")


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def issued(*words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run("issue_token", "--name", "test", "--json", *words))
    return answer


def holder(text: str) -> Principal:
    return principals._read(None).with_token(text)


def audited() -> list[tuple[str, str]]:
    return list(TokenAudit.objects.order_by("at").values_list("action", "principal_id"))


def test_an_issued_token_is_valid_and_on_record() -> None:
    answer = issued("--kind", "principal")
    principal = holder(answer["token"])
    assert (principal.public_id, principal.scopes) == (answer["public_id"], DEFAULT_SCOPES["principal"])
    assert answer["expires_at"] is None
    assert audited() == [("token_issued", answer["public_id"])]


def test_an_issued_token_can_be_narrowed() -> None:
    words = ["--kind", "principal", "--scope", "events:read", "--module", "madre", "--module", "switch"]
    principal = holder(issued(*words, "--expires-in", "90m")["token"])
    assert principal.scopes == {"events:read"}
    assert principal.modules == frozenset({"madre", "switch"})
    assert principal.expires_at is not None
    assert timedelta(minutes=89) < principal.expires_at - timezone.now() <= timedelta(minutes=90)


def test_a_service_token_belongs_to_its_module() -> None:
    assert holder(issued("--kind", "service", "--module", "switch")["token"]).publishes_for == "switch"


def test_a_token_is_shown_once_in_plain_words_too() -> None:
    shown = run("issue_token", "--name", "test", "--kind", "principal")
    token = AccessToken.objects.get()
    text = next(line.split()[1] for line in shown.splitlines() if line.startswith("token:"))
    assert tokens.digest(text) == token.digest
    assert token.public_id in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--kind", "principal", "--scope", "events:publish"],
        ["--kind", "service", "--scope", "events:read"],
        ["--kind", "principal", "--scope", "nonsense"],
        ["--kind", "service", "--module", "a", "--module", "b"],
        ["--kind", "principal", "--expires-in", "soon"],
        ["--kind", "principal", "--expires-in", "-1h"],
        ["--kind", "service", "--module", "not a module"],
        ["--kind", "principal", "--module", "a,b"],
        ["--kind", "principal", "--module", "x" * 65],
        ["--kind", "principal", "--name", "x" * 101],
    ],
)
def test_what_cannot_be_issued_is_refused_and_nothing_is_stored(words: list[str]) -> None:
    with pytest.raises(CommandError):
        run("issue_token", "--name", "test", *words)
    assert (AccessToken.objects.count(), TokenAudit.objects.count()) == (0, 0)


def test_revoking_ends_a_token_says_so_and_is_on_record() -> None:
    token, text = issue()
    assert token.public_id in run("revoke_token", token.public_id, "--reason", "leaked")
    with pytest.raises(principals.InvalidCredential):
        holder(text)
    token.refresh_from_db()
    assert token.revoked_because == "leaked"
    assert audited() == [("token_revoked", token.public_id)]


def test_revoking_twice_is_no_error_and_one_record() -> None:
    token, _ = issue()
    run("revoke_token", token.public_id)
    before = AccessToken.objects.get().revoked_at
    assert "before" in run("revoke_token", token.public_id)
    assert AccessToken.objects.get().revoked_at == before
    assert len(audited()) == 1


def test_a_typing_error_among_several_ids_revokes_none_and_says_of_none_that_it_is_revoked() -> None:
    token, text = issue()
    out = StringIO()
    with pytest.raises(CommandError, match="p-nobody"):
        call_command("revoke_token", token.public_id, "p-nobody", stdout=out)
    assert holder(text)
    assert "is revoked" not in out.getvalue()


def test_a_reason_of_any_length_can_be_given() -> None:
    token, _ = issue()
    run("revoke_token", token.public_id, "--reason", "x" * 1000)
    assert AccessToken.objects.get().revoked_at is not None


def listed(*words: str) -> dict[str, str]:
    """The state of every token in the list, by public id."""
    rows = [json.loads(line) for line in run("list_tokens", "--json", *words).splitlines()]
    return {row["public_id"]: row["state"] for row in rows}


def test_a_list_holds_what_is_valid_and_all_only_if_asked() -> None:
    valid, revoked, expired, orphan = [issue()[0] for _ in range(4)]
    AccessToken.objects.filter(pk=revoked.pk).revoke(because="test")
    AccessToken.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    user = create_user()
    AccessToken.objects.filter(pk=orphan.pk).update(user=user)
    user.is_active = False
    user.save()
    assert listed() == {valid.public_id: "valid"}
    assert listed("--all") == {
        valid.public_id: "valid",
        revoked.public_id: "revoked",
        expired.public_id: "expired",
        orphan.public_id: "user disabled",
    }


def test_a_list_for_people_has_a_line_for_each_token_and_no_digest() -> None:
    token, text = issue("service", module="switch")
    shown = run("list_tokens")
    assert len(shown.splitlines()) == 2
    assert token.public_id in shown
    assert text not in shown
    assert token.digest not in shown


def test_an_empty_list_says_how_to_make_one() -> None:
    assert "issue_token" in run("list_tokens")
