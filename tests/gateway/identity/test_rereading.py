"""Changes of rights that raise no version are found too, a little later."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from gateway.identity import console_sessions, principals
from gateway.identity.principals import Directory, InvalidCredential
from gateway.models import RightsVersion
from tests.gateway.samples import create_user

pytestmark = pytest.mark.usefixtures("ledger")


async def test_a_user_disabled_behind_the_version_is_found_by_reading_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principals, "FRESH_SECONDS", 0.0)
    user = await sync_to_async(create_user)("viewer")
    directory = Directory()
    name = console_sessions.principal_id(user.pk)
    assert (await directory.named(name)).public_id == name

    version = await sync_to_async(RightsVersion.current)()
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)
    assert await sync_to_async(RightsVersion.current)() == version
    assert (await directory.named(name)).public_id == name

    monkeypatch.setattr(principals, "REREAD_SECONDS", 0.0)
    with pytest.raises(InvalidCredential, match="user disabled"):
        await directory.named(name)


async def test_reading_again_what_has_not_changed_gives_the_same_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principals, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(principals, "REREAD_SECONDS", 0.0)
    await sync_to_async(create_user)("viewer")
    directory = Directory()
    assert await directory.current() is await directory.current()
