"""Who may call: known from memory, never older than promised, and every way of taking a right away counts."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.identity import principals
from gateway.identity.principals import Directory, InvalidCredential, Snapshot
from gateway.models import AccessToken, RightsVersion
from gateway.scopes import SCOPES_OF_GROUP
from ledger import clock
from ledger.faults import LedgerUnavailable
from tests.database_faults import database_away, rights_locked
from tests.gateway.samples import create_user, issue

pytestmark = pytest.mark.usefixtures("ledger")


def snapshot() -> Snapshot:
    """Everybody's rights as a process reads them that has just started."""
    return principals._read(None)


def why_refused(text: str) -> str:
    with pytest.raises(InvalidCredential) as raised:
        snapshot().with_token(text)
    return raised.value.why


def test_a_principal_is_what_its_token_says() -> None:
    token, text = issue(scopes=frozenset({"events:read"}), modules=frozenset({"madre", "switch"}))
    principal = snapshot().with_token(text)
    assert principal == snapshot().with_public_id(token.public_id)
    assert (principal.kind, principal.scopes) == ("principal", frozenset({"events:read"}))
    assert principal.selection.modules == frozenset({"madre", "switch"})


def test_a_principal_without_modules_sees_all_of_them() -> None:
    _, text = issue()
    assert snapshot().with_token(text).selection.modules is None


def test_a_service_token_publishes_for_its_module_and_one_without_for_any() -> None:
    texts = [issue("service", module="switch")[1], issue("service")[1]]
    own, any_module = [snapshot().with_token(text) for text in texts]
    assert (own.publishes_for, own.default_module) == ("switch", "switch")
    assert (any_module.publishes_for, any_module.default_module) == (None, "operator_backend")


def test_no_token_is_found_by_its_digest_or_its_public_id() -> None:
    token, _ = issue()
    assert why_refused(token.digest) == "unknown"
    assert why_refused(token.public_id) == "unknown"


def test_a_token_is_refused_from_the_moment_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = issue(expires_at=timezone.now() + timedelta(hours=1))
    known = snapshot()
    assert known.with_token(text)
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(InvalidCredential, match="expired"):
        known.with_token(text)


def test_console_users_have_the_scopes_of_their_groups() -> None:
    user = create_user()
    for name in ("viewer", "auditor"):
        user.groups.add(Group.objects.get_or_create(name=name)[0])
    user.groups.add(Group.objects.create(name="somebody else's group"))
    principal = snapshot().with_public_id(f"u-{user.pk}")
    assert principal.scopes == SCOPES_OF_GROUP["viewer"] | SCOPES_OF_GROUP["auditor"]


def test_a_console_user_in_no_group_has_no_rights() -> None:
    user = create_user()
    assert snapshot().with_public_id(f"u-{user.pk}").scopes == frozenset()


def test_a_superuser_has_every_right_of_an_operator() -> None:
    user = create_user()
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    assert snapshot().with_public_id(f"u-{user.pk}").scopes == SCOPES_OF_GROUP["administrator"]


# Taking rights away


def revoke_by_command(token: AccessToken) -> None:
    call_command("revoke_token", token.public_id, stdout=StringIO())


def revoke_by_save(token: AccessToken) -> None:
    token.revoked_at = timezone.now()
    token.save()


def disable_user(token: AccessToken) -> None:
    assert token.user is not None
    token.user.is_active = False
    token.user.save()


WAYS: dict[str, Callable[[AccessToken], Any]] = {
    "command": revoke_by_command,
    "save": revoke_by_save,
    "delete": lambda token: token.delete(),
    "queryset update": lambda token: AccessToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now()),
    "queryset revoke": lambda token: AccessToken.objects.filter(pk=token.pk).revoke(because="test"),
    "queryset delete": lambda token: AccessToken.objects.filter(pk=token.pk).delete(),
    "bulk update": lambda token: AccessToken.objects.bulk_update(
        [AccessToken(pk=token.pk, revoked_at=timezone.now())], ["revoked_at"]
    ),
    "user disabled": disable_user,
    "user deleted": lambda token: token.user and token.user.delete(),
    "users deleted by queryset": lambda token: User.objects.filter(accesstoken=token).delete(),
}


@pytest.mark.parametrize("way", WAYS)
def test_a20_however_a_token_is_revoked_processes_that_know_it_read_rights_again(way: str) -> None:
    token, text = issue()
    token.user = create_user()
    token.save()
    known = snapshot()
    assert known.with_token(text)

    WAYS[way](token)

    renewed = principals._read(known)
    assert renewed is not known
    with pytest.raises(InvalidCredential):
        renewed.with_token(text)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "user disabled"])
def test_every_way_locks_the_version_before_any_token_so_that_no_two_wait_for_each_other(way: str) -> None:
    token, _ = issue()
    token.user = create_user()
    token.save()

    with CaptureQueriesContext(connection) as queries:
        WAYS[way](token)

    statements = [query["sql"] for query in queries.captured_queries]
    writes = [sql for sql in statements if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert "gateway_rightsversion" in writes[0]
    assert any("gateway_accesstoken" in sql for sql in writes)
    # In one transaction: nobody can read the new version with the old token.
    before, meanwhile = statements[: statements.index(writes[0])], statements[statements.index(writes[0]) :]
    assert any(sql.startswith("BEGIN") for sql in before)
    assert meanwhile.count("COMMIT") == 1


def rename(group: Group) -> None:
    group.name = "former"
    group.save()


CHANGES: dict[str, Callable[[User, Group], Any]] = {
    "removed": lambda user, group: user.groups.remove(group),
    "cleared": lambda user, group: user.groups.clear(),
    "removed from the group's side": lambda user, group: group.user_set.remove(user),
    "group deleted": lambda user, group: group.delete(),
    "groups deleted by queryset": lambda user, group: Group.objects.filter(pk=group.pk).delete(),
    "group renamed": lambda user, group: rename(group),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_user_that_leaves_a_group_loses_its_rights(change: str) -> None:
    user, group = create_user(), Group.objects.get_or_create(name="operator")[0]
    user.groups.add(group)
    known = snapshot()
    assert "chat:write" in known.with_public_id(f"u-{user.pk}").scopes

    CHANGES[change](user, group)

    assert principals._read(known).with_public_id(f"u-{user.pk}").scopes == frozenset()


def test_a_login_is_no_change_of_rights() -> None:
    user = create_user()
    known = snapshot()
    user.last_login = timezone.now()
    user.save(update_fields=["last_login"])
    assert principals._read(known) is known


def test_rights_that_did_not_change_are_not_read_again() -> None:
    issue()
    known = snapshot()
    assert principals._read(known) is known


# The directory


async def elsewhere(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run in the thread that has the test's connection."""
    return await sync_to_async(function)(*args, **kwargs)


async def test_while_the_database_does_not_answer_those_who_are_known_go_on_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, text = await elsewhere(issue)
    directory = Directory()
    await directory.holder_of(text)
    directory.expire()

    with database_away():
        assert await directory.holder_of(text)
        with monkeypatch.context() as patched:
            patched.setattr(principals, "STALE_LIMIT_SECONDS", 0.0)
            with pytest.raises(LedgerUnavailable):
                await directory.holder_of(text)

    directory.expire()
    assert await directory.holder_of(text)


async def test_a_token_that_another_process_made_a_moment_ago_is_known_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So short that it has passed already.
    monkeypatch.setattr(principals, "MISS_FRESH_SECONDS", 0.0)
    directory = Directory()
    await directory.current()
    _, text = await elsewhere(issue)
    assert await directory.holder_of(text)


async def test_a_change_elsewhere_is_known_when_knowledge_is_no_longer_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    token, text = await elsewhere(issue)
    directory = Directory()
    await directory.holder_of(text)
    await elsewhere(AccessToken.objects.filter(pk=token.pk).revoke, because="by another process")

    monkeypatch.setattr(principals, "FRESH_SECONDS", 0.0)
    with pytest.raises(InvalidCredential):
        await directory.holder_of(text)


async def test_a_change_in_this_process_is_known_at_once() -> None:
    token, text = await elsewhere(issue)
    await principals.directory.holder_of(text)
    await elsewhere(revoke_by_save, token)
    with pytest.raises(InvalidCredential):
        await principals.directory.holder_of(text)


async def test_a_cold_start_without_a_database_keeps_nobody_waiting_for_the_others() -> None:
    directory = Directory()
    started = time.monotonic()
    with rights_locked():
        outcomes = await asyncio.gather(*(directory.current() for _ in range(6)), return_exceptions=True)
        waited_seconds = time.monotonic() - started
    assert {type(outcome) for outcome in outcomes} == {LedgerUnavailable}
    assert waited_seconds < 4


def test_every_bump_moves_the_version_also_from_nothing() -> None:
    RightsVersion.objects.all().delete()
    assert RightsVersion.current() == 0
    RightsVersion.bump()
    RightsVersion.bump()
    assert RightsVersion.current() == 2
