"""What is read of the database into a snapshot of rights, and who is found by it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from pytest_django import Settings

from gateway import tokens
from gateway.filters import EVERYTHING
from gateway.identity import console_sessions, environment_tokens, principals, tickets
from gateway.identity.principals import InvalidCredential, directory
from gateway.models import AccessToken, EndedStream
from ledger import clock
from tests.gateway.samples import create_user, issue

pytestmark = pytest.mark.usefixtures("ledger")


def test_a_revoked_token_is_known_as_revoked() -> None:
    token, text = issue()
    AccessToken.objects.filter(pk=token.pk).update(revoked_at=clock.now())
    with pytest.raises(InvalidCredential) as refused:
        principals._read(None).with_token(text)
    assert (refused.value.why, refused.value.public_id) == ("revoked", token.public_id)


def test_sessions_and_ended_streams_are_known_until_their_time_is_over() -> None:
    now = clock.now()
    for key, hours in (("signed in", 1), ("over", -1)):
        Session.objects.create(session_key=key, expire_date=now + timedelta(hours=hours))
    EndedStream.objects.create(stream_id="s-1")
    found = principals._read(None)
    assert found.session_ends == {"signed in": now + timedelta(hours=1)}
    assert found.ended_streams == {"s-1"}


def test_tokens_of_the_environment_have_public_ids_of_their_kind(settings: Settings) -> None:
    settings.PRINCIPAL_TOKENS, settings.SERVICE_TOKENS = ["one of a reader"], ["one of a module"]
    environment_tokens.the_holding.register()
    for text, letter in (("one of a reader", "p-"), ("one of a module", "s-")):
        assert AccessToken.objects.get(digest=tokens.digest(text)).public_id.startswith(letter)


async def test_a_user_in_a_session_is_found_with_the_password_of_now() -> None:
    def sign_in() -> User:
        user = create_user("alice")
        expires = clock.now() + timedelta(hours=1)
        Session.objects.create(session_key=console_sessions.row_key("key"), expire_date=expires)
        user.is_staff = user.is_superuser = True
        user.save()
        return user

    user = await sync_to_async(sign_in)()
    found = await directory.user_in_session(user, "key")
    assert (found.public_id, found.name) == (f"u-{user.pk}", "alice")
    assert (found.session_id, found.session_row) == (
        console_sessions.session_id("key"),
        console_sessions.row_key("key"),
    )
    ticket = tickets.new(found, EVERYTHING)
    assert await ticket.holder() == found
    user.password = "!another"
    await sync_to_async(user.save)()
    directory.expire()
    changed = await directory.user_in_session(user, "key")
    assert changed.generation == console_sessions.generation(user) != found.generation
    with pytest.raises(InvalidCredential, match="password changed"):
        await ticket.holder()
    with pytest.raises(InvalidCredential, match="session over"):
        await directory.user_in_session(user, "another key")


def test_signing_out_is_known_to_every_process() -> None:
    known = principals._read(None)
    console_sessions.end("key")
    found = principals._read(known)
    assert found.version > known.version
    assert found.ended_sessions == {console_sessions.session_id("key")}
    # Once more changes nothing but the time.
    console_sessions.end("key")
    assert principals._read(found).ended_sessions == found.ended_sessions


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights in memory are not checked for their age, only when something is missing in them."""
    monkeypatch.setattr(principals, "FRESH_SECONDS", 3600.0)
    monkeypatch.setattr(principals, "MISS_FRESH_SECONDS", 0.0)


@pytest.mark.usefixtures("fresh")
async def test_a_user_and_a_password_of_a_moment_ago_are_found_though_rights_were_just_read() -> None:
    await directory.current()
    expires = clock.now() + timedelta(hours=1)
    await Session.objects.acreate(session_key=console_sessions.row_key("key"), expire_date=expires)
    user = await sync_to_async(create_user)("bob")
    found = await directory.user_in_session(user, "key")
    assert found.generation == console_sessions.generation(user)
    assert await directory.named(f"u-{user.pk}") == replace(found, session_id="", session_row="", expires_at=None)
    other = await sync_to_async(create_user)("carol")
    assert (await directory.named(f"u-{other.pk}")).name == "carol"
    user.password = "!another"
    await sync_to_async(user.save)()
    changed = await directory.user_in_session(user, "key")
    assert changed.generation == console_sessions.generation(user) != found.generation
