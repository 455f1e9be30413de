"""Consequences of changes, in whatever way they are made in this process.

Every change of rights bumps RightsVersion and expires the directory. Every revocation and deletion of a token, and
every sign-in, becomes an audit row. A saved audit row gets the current actor, and is logged after its commit.
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import signals
from django.http import HttpRequest

from gateway.http.authentication import caller_of
from gateway.identity import actors, audit
from gateway.identity.console_sessions import principal_id
from gateway.identity.principals import directory
from gateway.models import AccessToken, RightsVersion, TokenAudit
from gateway.notices import tokens_updating
from ledger import clock

Action = TokenAudit.Action
NAME_LENGTH = 150


def connect() -> None:
    for model in (User, Group):
        name = f"gateway.rights.{model.__name__}"
        signals.post_save.connect(rights_changed, sender=model, dispatch_uid=name)
        signals.post_delete.connect(rights_changed, sender=model, dispatch_uid=name)
    # A token's save() and update() bump the version themselves, before they lock a token. For a deletion, directly or
    # with its user, this signal does so before any row is locked: the same lock order everywhere.
    signals.post_save.connect(token_saved, sender=AccessToken, dispatch_uid="gateway.rights.token_saved")
    signals.pre_delete.connect(rights_changed, sender=AccessToken, dispatch_uid="gateway.rights.token_deleted")
    signals.m2m_changed.connect(rights_changed, sender=User.groups.through, dispatch_uid="gateway.rights.groups")
    # A session that begins, is prolonged or ends; before its row is locked, as with tokens.
    signals.pre_save.connect(session_changing, sender=Session, dispatch_uid="gateway.rights.session_saved")
    signals.pre_delete.connect(session_changing, sender=Session, dispatch_uid="gateway.rights.session_deleted")
    _connect_audit()


def _connect_audit() -> None:
    signals.pre_save.connect(note_actor, sender=TokenAudit, dispatch_uid="gateway.identity.audit.actor")
    signals.post_save.connect(log_saved, sender=TokenAudit, dispatch_uid="gateway.identity.audit.log")
    signals.pre_save.connect(token_saving, sender=AccessToken, dispatch_uid="gateway.identity.audit.token_saving")
    signals.pre_delete.connect(token_deleting, sender=AccessToken, dispatch_uid="gateway.identity.audit.token_deleting")
    tokens_updating.connect(audit_update, dispatch_uid="gateway.identity.audit.tokens_updating")
    user_logged_in.connect(user_signed_in, dispatch_uid="gateway.identity.audit.signed_in")
    user_logged_out.connect(user_signed_out, dispatch_uid="gateway.identity.audit.signed_out")
    user_login_failed.connect(sign_in_failed, dispatch_uid="gateway.identity.audit.sign_in_failed")


def rights_changed(**kwargs: Any) -> None:
    fields = kwargs.get("update_fields")
    # Django stores the time of each login in the user's row; that changes no right.
    if fields is not None and set(fields) == {"last_login"}:
        return
    RightsVersion.bump()
    transaction.on_commit(directory.expire)


def session_changing(instance: Session, **kwargs: Any) -> None:
    # Deleting an expired session changes no right, and they are deleted by the hundred.
    if instance.expire_date > clock.now():
        rights_changed()


def token_saved(**kwargs: Any) -> None:
    transaction.on_commit(directory.expire)


def note_actor(instance: TokenAudit, **kwargs: Any) -> None:
    actor = actors.current.get()
    instance.actor = instance.actor or actor.name[:NAME_LENGTH]
    instance.address = instance.address or actor.address
    instance.correlation_id = instance.correlation_id or actor.correlation_id


def log_saved(instance: TokenAudit, **kwargs: Any) -> None:
    transaction.on_commit(lambda: audit.log(instance))


def token_saving(instance: AccessToken, update_fields: frozenset[str] | None, **kwargs: Any) -> None:
    """Audit a token that is saved as revoked and was not revoked before."""
    written = update_fields is None or "revoked_at" in update_fields
    if instance.revoked_at is None or not written:
        return
    if AccessToken.objects.filter(pk=instance.pk, revoked_at=None).exists():
        TokenAudit.of_token(Action.TOKEN_REVOKED, instance, reason=instance.revoked_because).save()


def audit_update(queryset: models.QuerySet[AccessToken], values: dict[str, Any], **kwargs: Any) -> None:
    """Audit tokens that a bulk update is about to revoke. The new value may be an expression, as in bulk_update."""
    if values.get("revoked_at") is None:
        return
    # Selected again by id, because the queryset may be ordered, sliced or joined in ways that allow no further filter.
    chosen = AccessToken.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)), revoked_at=None)
    if hasattr(values["revoked_at"], "resolve_expression"):
        chosen = chosen.annotate(becomes=values["revoked_at"]).exclude(becomes=None)
    because = values.get("revoked_because", "")
    for token in chosen:
        TokenAudit.of_token(Action.TOKEN_REVOKED, token, reason=because if isinstance(because, str) else "").save()


def token_deleting(instance: AccessToken, origin: Any = None, **kwargs: Any) -> None:
    """Audit a deleted token, also one that is deleted with its user."""
    user = instance.user if _is_about(origin, get_user_model()) else None
    reason = f"with its user {user.get_username()}" if user is not None else ""
    TokenAudit.of_token(Action.TOKEN_DELETED, instance, reason=reason).save()


def _is_about(origin: Any, model: type[models.Model]) -> bool:
    """Whether the deletion started from this model: from one row, or from a queryset."""
    return isinstance(origin, model) or getattr(origin, "model", None) is model


def user_signed_in(request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    _audit_user(Action.SIGNED_IN, request, user)


def user_signed_out(request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    # Signing out without being signed in changes nothing.
    if user is not None:
        _audit_user(Action.SIGNED_OUT, request, user)


def admin_refused(request: HttpRequest, user: User) -> None:
    """The password was right, but the user is not staff."""
    _audit_user(Action.SIGN_IN_FAILED, request, user, reason="not staff")


def sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Names the user if there is one. An unknown name is not stored: people type passwords there."""
    typed = credentials.get(User.USERNAME_FIELD)
    user = User.objects.filter(**{User.USERNAME_FIELD: typed}).first() if isinstance(typed, str) else None
    _audit_user(Action.SIGN_IN_FAILED, request, user)


def _audit_user(action: str, request: HttpRequest | None, user: User | None, *, reason: str = "") -> None:
    """Written before the response and not later, so that every signed-in person is in the audit."""
    row = TokenAudit(action=action, reason=reason if user else "unknown user")
    if user is not None:
        row.principal_id, row.principal_name = principal_id(user.pk), user.get_username()
    if action != Action.SIGN_IN_FAILED and user is not None:
        row.actor = user.get_username()
    if request is not None:
        caller = caller_of(request)
        row.address, row.correlation_id = caller.address, caller.correlation_id
    row.save()
