"""webhooks, webhooks/<id>, webhooks/<id>/start. Their addresses are set by administrators, as those of targets are."""

import dataclasses
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events.log import timestamp
from gateway.http.errors import ApiError
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import answer
from gateway.shared_store.limits import limiter
from ledger.reader import questions
from ledger.units import WriteMany
from ledger.writer import writer
from watches import rights, subscriptions
from watches.delivery import webhooks
from watches.http import shown, webhook_bodies, webhook_openapi
from watches.http.views import WatchEndpoint
from watches.models import Subscription
from watches.store import WatchActor
from watches.subscriptions import Addition, NameTaken, NoSuchWebhook, Removal, Revision, Start


class WebhookEndpoint(WatchEndpoint):
    scopes: ClassVar[dict[str, str | None]] = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), shown.ADMINISTER)

    @property
    def actor(self) -> WatchActor:
        """An administrator of some modules has no say about what goes out of the others."""
        return dataclasses.replace(super().actor, is_administrator=self.principal.modules is None)

    def refuse_unless_owner(self) -> None:
        """What a webhook sends is what its owner may see and watch: without these rights it would end at once."""
        if missing := {rights.READ, rights.WRITE} - self.principal.scopes:
            raise ApiError("insufficient_scope", title=f"Who sets a webhook needs the right {sorted(missing)[0]}.")

    async def commit(self, change: WriteMany, unit: Any) -> Any:
        """Raises ApiError for what is refused."""
        try:
            return await writer.commit(change, unit, rows=3)
        except NoSuchWebhook:
            raise _not_found() from None
        except NameTaken:
            raise ApiError("webhook_name_taken") from None
        except webhooks.TooManyWebhooks as full:
            raise ApiError("too_many_webhooks", title=str(full)) from None


class WebhooksView(WebhookEndpoint):
    @extend_schema(operation_id="webhooks", responses={200: component("Webhooks")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """All webhooks; for a token that is limited to some modules, its own. Their addresses are masked."""
        return answer({"webhooks": await questions.run_for(self.principal.public_id, _all, self.actor)})

    @extend_schema(
        operation_id="add_webhook",
        request=body_of("WebhookDefinition"),
        responses={201: component("NewWebhook")},
        extensions=refuses("webhook_name_taken", "too_many_webhooks"),
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Send what passes a query to an address, from now on or from a cursor. Its secret is in this answer only."""
        self.refuse_unless_owner()
        given = await self.read(request, webhook_bodies.read_new)
        added = await self.commit(subscriptions.add_many, Addition(given=given, by=self.actor))
        return answer({**shown_webhook(added, self.actor), "secret": given.secret}, 201)


class WebhookView(WebhookEndpoint):
    @extend_schema(
        operation_id="webhook",
        parameters=webhook_openapi.ID_PARAMETERS,
        responses={200: component("Webhook")},
        extensions=refuses("not_found"),
    )
    async def get(self, request: HttpRequest, webhook_id: str) -> HttpResponse:
        """One webhook: how far it is, and what is wrong with it."""
        pk, by = _read_id(webhook_id), self.actor
        found = await questions.run_for(self.principal.public_id, subscriptions.seen_by(by).filter(pk=pk).first)
        if found is None:
            raise _not_found()
        return answer(shown_webhook(found, by))

    @extend_schema(
        operation_id="change_webhook",
        parameters=webhook_openapi.ID_PARAMETERS,
        request=body_of("WebhookChange"),
        responses={200: component("Webhook")},
        extensions=refuses("not_found", "webhook_name_taken"),
    )
    async def patch(self, request: HttpRequest, webhook_id: str) -> HttpResponse:
        """Change some fields. The caller is its owner then, and an attempt under way does not count."""
        self.refuse_unless_owner()
        pk = _read_id(webhook_id)
        given = await self.read(request, webhook_bodies.read_change)
        changed = await self.commit(subscriptions.revise_many, Revision(webhook_id=pk, given=given, by=self.actor))
        return answer(shown_webhook(changed, self.actor))

    @extend_schema(
        operation_id="delete_webhook",
        parameters=webhook_openapi.ID_PARAMETERS,
        responses={204: None},
        extensions=refuses("not_found"),
    )
    async def delete(self, request: HttpRequest, webhook_id: str) -> HttpResponse:
        """Delete it: nothing more is sent."""
        await limiter.spend("changes", self.principal.public_id)
        await self.commit(subscriptions.remove_many, Removal(webhook_id=_read_id(webhook_id), by=self.actor))
        return HttpResponse(status=204)


class WebhookStartView(WebhookEndpoint):
    @extend_schema(
        operation_id="start_webhook",
        parameters=webhook_openapi.ID_PARAMETERS,
        request=body_of("WebhookStart"),
        responses={200: component("Webhook")},
        extensions=refuses("not_found"),
    )
    async def post(self, request: HttpRequest, webhook_id: str) -> HttpResponse:
        """Send again at once, also if it is dead: from where it is, or from `newest`, `oldest` or a cursor."""
        pk = _read_id(webhook_id)
        begin = await self.read(request, webhook_bodies.read_start)
        started = await self.commit(subscriptions.start_many, Start(webhook_id=pk, begin=begin, by=self.actor))
        return answer(shown_webhook(started, self.actor))


def shown_webhook(webhook: Subscription, viewer: WatchActor) -> dict[str, Any]:
    """As the API shows it: without its address and its secret."""
    moments = ("delivered_at", "failing_since", "next_try_at", "created_at")
    return {
        "id": webhook.pk,
        "name": webhook.name,
        "query": webhook.query,
        "address": webhook.masked,
        "owner": webhook.owner_name or webhook.owner_id,
        "owner_id": webhook.owner_id,
        "mine": webhook.owner_id == viewer.principal_id,
        "state": webhook.state,
        "cursor": str(webhooks.cursor_of(webhook)),
        "reset": webhook.reset_reason or None,
        "failures": webhook.failures,
        "problem": webhook.problem or None,
        **{name: (at := getattr(webhook, name)) and timestamp(at) for name in moments},
    }


def _all(by: WatchActor) -> list[dict[str, Any]]:
    return [shown_webhook(webhook, by) for webhook in subscriptions.seen_by(by)]


def _read_id(text: str) -> int:
    """Raises ApiError."""
    pk = shown.read_id(text)
    if pk is None:
        raise _not_found()
    return pk


def _not_found() -> ApiError:
    return ApiError("not_found", title="There is no such webhook, or the token does not carry the right to see it.")
