"""Signing in to console and admin, with a limit on failed tries, so that passwords cannot be guessed."""

import math
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from gateway import tokens
from gateway.addresses import address_group
from gateway.http.authentication import Caller, caller_of
from gateway.identity.audit import refusals
from gateway.shared_store.limits import LimitExceeded, limiter
from gateway.signals import admin_refused


class ThrottledForm(AuthenticationForm):
    """Counts each try before the password is checked, so that parallel tries cannot exceed the limit. A try with the
    right password is refunded.
    """

    def clean(self) -> dict[str, Any]:
        assert self.request is not None  # noqa: S101 - Django's views always give it
        tries = _tries(self.request, self.cleaned_data.get("username", ""))
        try:
            for name, who in tries:
                async_to_sync(limiter.spend)(name, who)
        except LimitExceeded as exceeded:
            async_to_sync(_note_throttled)(caller_of(self.request))
            # The form shows this message; gateway.http.middleware sets status and Retry-After of the response.
            self.request.retry_after_seconds = exceeded.retry_after_seconds  # type: ignore[attr-defined]
            minutes = math.ceil(exceeded.retry_after_seconds / 60)
            message = _("Too many failed sign-ins from here. Try again in %(minutes)s min.") % {"minutes": minutes}
            raise ValidationError(message, code="throttled") from None
        cleaned = super().clean()
        for name, who in tries:
            async_to_sync(limiter.refund)(name, who)
        return cleaned


class ThrottledAdminForm(ThrottledForm, AdminAuthenticationForm):
    """The same for the admin, which admits staff only."""

    def confirm_login_allowed(self, user: User) -> None:
        try:
            super().confirm_login_allowed(user)
        except ValidationError:
            assert self.request is not None  # noqa: S101 - as above
            admin_refused(self.request, user)
            raise


async def _note_throttled(caller: Caller) -> None:
    """Runs on the event loop, where refusals are aggregated: continued guessing is one row a minute and not a flood."""
    refusals.record(
        reason="rate_limited: failed sign-ins", address=caller.address, correlation_id=caller.correlation_id
    )


def _tries(request: HttpRequest, user_name: str) -> list[tuple[str, str]]:
    address = address_group(caller_of(request).address)
    # A digest: people type passwords into the field for names. The limit of the name is first: a person who has to wait
    # for it must not use up the tries of others at the same address.
    return [("failed_logins", f"{address} {tokens.digest(user_name)}"), ("failed_logins_by_address", address)]
