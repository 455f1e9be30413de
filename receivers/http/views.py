"""One view for each format. Each is: who calls, charge, read in a thread, commit, answer."""

import dataclasses
from typing import Any, ClassVar

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from events.http.publishing import admit, charge_refused, published
from events.log import Appended, IdempotencyConflict
from gateway.http import headers
from gateway.http.authentication import refused_credential, with_header, with_token
from gateway.http.bodies import BODY_LIMIT_BYTES, PUBLISH_LIMIT_BYTES
from gateway.http.content_coding import PackedBody
from gateway.http.errors import ApiError
from gateway.http.json_bodies import packed_body, read_packed
from gateway.http.rest import Endpoint, answer
from gateway.identity.principals import InvalidCredential, Principal
from gateway.shared_store.limits import rate_of
from ledger import clock
from receivers import alertmanager, cloud_events, json_lines, loki, metrics, otlp
from receivers.http import handshakes
from receivers.intake import Received, Sender, store
from receivers.json_documents import media_type_of
from receivers.known_webhooks import known, principal_of
from receivers.protobuf_messages import LogsResponse
from receivers.webhooks import requests, signatures
from receivers.webhooks.mapping import Hook

# A larger body is read in the thread for costly bodies: as many entries of a few bytes as fit into this take some
# milliseconds.
HERE_LIMIT_BYTES = 1024


class Receiver(Endpoint):
    """A receiver: `name` is that of its metrics. `takes_password`: the token may be the password of HTTP's Basic."""

    scopes: ClassVar[dict[str, str | None]] = {"POST": "events:publish"}
    kinds = frozenset({"service"})
    name: ClassVar[str]
    takes_password: ClassVar[bool] = False

    async def post(self, request: HttpRequest) -> HttpResponse:
        publisher = self.principal.public_id
        await admit(publisher)
        sender = Sender(self.principal, self.caller.correlation_id)
        packed = self.packed(request)
        try:
            received = await read_packed(
                packed, lambda body: self.read(body, request, sender), who=publisher, here_limit_bytes=HERE_LIMIT_BYTES
            )
        except ApiError:
            await charge_refused(publisher, packed.size_bytes)
            raise
        try:
            appended = await store(self.name, received, sender)
        except IdempotencyConflict:
            raise ApiError("idempotency_conflict") from None
        return self.accepted(request, received, appended)

    def packed(self, request: HttpRequest) -> PackedBody:
        return packed_body(request, limit_bytes=PUBLISH_LIMIT_BYTES)

    def read(self, body: bytes, request: HttpRequest, sender: Sender) -> Received:
        """The events of a body. Runs in a thread. Raises ApiError."""
        raise NotImplementedError

    def accepted(self, request: HttpRequest, received: Received, appended: Appended | None) -> HttpResponse:
        """The answer when everything is durable; `appended` is None if there was nothing to store."""
        if appended is None:
            return answer({"events": [], "cursor": None, "new": 0})
        return answer(published(appended, batch=True), 201 if appended.created else 200)

    def refused(self, request: HttpRequest, refusal: ApiError) -> HttpResponse:
        metrics.REFUSED_REQUESTS.labels(self.name, refusal.reason).inc()
        return super().refused(request, refusal)

    async def _identify(self, request: HttpRequest) -> Principal:
        """By token alone: a sender has no session."""
        raw = _raw(request)
        principal = await with_header(raw, self.caller)
        if principal is None and self.takes_password and (password := headers.basic_password(raw)):
            principal = await with_token(password, self.caller)
        if principal is None:
            raise ApiError("missing_token")
        return principal


class LinesView(Receiver):
    name = "ndjson"

    def read(self, body: bytes, request: HttpRequest, sender: Sender) -> Received:
        return json_lines.read_lines(body, media_type_of(_content_type(request)), sender)


class OtlpView(Receiver):
    name = "otlp"

    def read(self, body: bytes, request: HttpRequest, sender: Sender) -> Received:
        return otlp.read_logs(body, media_type_of(_content_type(request)), sender)

    def accepted(self, request: HttpRequest, received: Received, appended: Appended | None) -> HttpResponse:
        """As the protocol has it, in the encoding of the request: empty, unless records were left out."""
        count = received.rejected_count
        if media_type_of(_content_type(request)) == otlp.JSON_TYPE:
            partial = {"rejectedLogRecords": str(count), "errorMessage": otlp.SAYS_NOTHING}
            return answer({"partialSuccess": partial} if count else {})
        response = LogsResponse()
        if count:
            response.partial_success.rejected_log_records = count
            response.partial_success.error_message = otlp.SAYS_NOTHING
        return HttpResponse(response.SerializeToString(), content_type=otlp.PROTOBUF_TYPE)


class LokiView(Receiver):
    name = "loki"
    takes_password = True

    def packed(self, request: HttpRequest) -> PackedBody:
        """Protobuf is a block of snappy; some senders name that in Content-Encoding, too, and Loki takes either."""
        packed = super().packed(request)
        if packed.coding == "snappy" and media_type_of(_content_type(request)) in loki.PROTOBUF_TYPES:
            packed.coding = ""
        return packed

    def read(self, body: bytes, request: HttpRequest, sender: Sender) -> Received:
        return loki.read_push(body, media_type_of(_content_type(request)), sender)

    def accepted(self, request: HttpRequest, received: Received, appended: Appended | None) -> HttpResponse:
        return HttpResponse(status=204)


class CloudEventsView(Receiver):
    name = "cloudevents"

    async def options(  # type: ignore[override]  # as that of Endpoint
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Also the handshake of senders, which asks without a token."""
        fields = handshakes.granted(request.headers, rate_of("published_events"))
        if not fields:
            return await super().options(request, *args, **kwargs)
        return HttpResponse(headers={"Allow": self._allow(), **fields})

    def read(self, body: bytes, request: HttpRequest, sender: Sender) -> Received:
        return cloud_events.read_events(body, _content_type(request), request.headers, sender)


class AlertmanagerView(Receiver):
    name = "alertmanager"
    takes_password = True

    def read(self, body: bytes, request: HttpRequest, sender: Sender) -> Received:
        return alertmanager.read_alerts(body, _content_type(request), sender)


class WebhookView(Receiver):
    """One address for each row: what it takes, and who proves what, the row says."""

    name = "webhook"
    hook: Hook

    async def post(self, request: HttpRequest, name: str) -> HttpResponse:  # type: ignore[override]  # the address has a name
        return await super().post(request)

    def read(self, body: bytes, request: HttpRequest, sender: Sender) -> Received:
        return requests.read_delivery(body, _content_type(request), _raw(request), self.hook, sender)

    async def _identify(self, request: HttpRequest) -> Principal:
        """By the signature, which is of the body as it came; or by a token, as everywhere."""
        hook = await known.named(self.kwargs["name"])
        if hook is None:
            raise ApiError("not_found")
        self.hook = hook
        if hook.way == signatures.TOKEN:
            principal = await super()._identify(request)
            own = principal.publishes_for or hook.own_module
            return dataclasses.replace(principal, publishes_for=own, default_module=own) if own else principal
        if len(request.body) > BODY_LIMIT_BYTES:
            # A header that looks like a token would let in more, and all of it is signed before the sender is known.
            raise ApiError("payload_too_large")
        try:
            signatures.check(hook.way, hook.secret, _raw(request), request.body, now=clock.now())
        except signatures.NotProven as refused:
            invalid = InvalidCredential(str(refused), hook.public_id)
            raise await refused_credential("main_auth_failed", invalid, self.caller) from None
        return principal_of(hook)


def _raw(request: HttpRequest) -> headers.RawHeaders:
    return request.scope["headers"] if isinstance(request, ASGIRequest) else ()


def _content_type(request: HttpRequest) -> str:
    return str(request.META.get("CONTENT_TYPE", ""))
