"""Every change of rights, however it is made in this process, bumps RightsVersion and expires the directory."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models import signals

from gateway.models import AccessToken, RightsVersion
from gateway.principals import directory
from gateway.sessions import signed_out


def connect() -> None:
    for model in (User, Group):
        name = f"gateway.rights.{model.__name__}"
        signals.post_save.connect(rights_changed, sender=model, dispatch_uid=name)
        signals.post_delete.connect(rights_changed, sender=model, dispatch_uid=name)
    # A token's save() and update() bump by themselves, before they lock a token. Its deletion, by whichever way or
    # with its user, is told within the transaction and before any row is locked: the same order everywhere.
    signals.post_save.connect(token_saved, sender=AccessToken, dispatch_uid="gateway.rights.token_saved")
    signals.pre_delete.connect(rights_changed, sender=AccessToken, dispatch_uid="gateway.rights.token_deleted")
    signals.m2m_changed.connect(rights_changed, sender=User.groups.through, dispatch_uid="gateway.rights.groups")
    user_logged_out.connect(signed_out, dispatch_uid="gateway.sessions.signed_out")


def rights_changed(**kwargs: Any) -> None:
    fields = kwargs.get("update_fields")
    # Django notes each login in the user's row; that changes no right.
    if fields is not None and set(fields) == {"last_login"}:
        return
    RightsVersion.bump()
    transaction.on_commit(directory.expire)


def token_saved(**kwargs: Any) -> None:
    transaction.on_commit(directory.expire)
