"""chat: write a message, and read messages and answers."""

import hashlib
import re
import uuid
from functools import partial
from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from drf_spectacular.utils import extend_schema

from events.http.polling import Query, read_number, single
from events.log import ID_FORM, IdempotencyConflict, Invalid, read_key
from gateway import tokens
from gateway.filters import BadFilter
from gateway.http import headers
from gateway.http.authentication import require
from gateway.http.errors import ApiError
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import answer
from ledger.reader import questions
from operator_api.chat import conversations, exchange
from operator_api.chat.conversations import Reply
from operator_api.chat.exchange import Message, WindowClosed
from operator_api.http import openapi
from operator_api.http.endpoint import BY_POLICY, OperatorEndpoint
from operator_api.http.fields import Fields
from operator_api.windows import WindowActor
from vx11_client import exact_json

FALLBACK = "local"


class ChatView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": None, "POST": "chat:write"}

    @extend_schema(
        operation_id="say",
        parameters=[openapi.KEY_PARAMETER],
        request=body_of("ChatQuestion"),
        responses={200: component("ChatReply"), **BY_POLICY},
        extensions=refuses("idempotency_conflict"),
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Write a message while a window is open. A repeat under the same key is the same message."""
        await conversations.admit(self.principal.public_id)
        key = request.headers.get("Idempotency-Key")
        message = await self.read(request, partial(_read_message, key_text=key, by=self.actor))
        # A console page in Spanish is answered in Spanish; programs with tokens go on to read English.
        language = translation.get_language_from_request(request) if self.principal.kind == "session" else "en"
        try:
            with translation.override(language):
                reply = await conversations.ask(message)
        except WindowClosed:
            return self.off_by_policy()
        except IdempotencyConflict:
            raise ApiError("idempotency_conflict") from None
        return answer(_replied(reply, self.caller.correlation_id))

    @extend_schema(
        operation_id="read_chat",
        parameters=openapi.CHAT_PARAMETERS,
        responses={200: component("ChatHistory")},
        extensions=refuses("not_found", "insufficient_scope"),
    )
    async def get(self, request: HttpRequest) -> HttpResponse:
        """One's own messages, oldest first: the newest, or those before one. Others' need `chat:read_all`."""
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        whose = _read_id(query, "principal") or self.principal.public_id
        session_id = _read_id(query, "session_id")
        limit = read_number(query, "limit", exchange.PAGE_DEFAULT, minimum=1, maximum=exchange.PAGE_MAX)
        before = _read_message_id(query, "before")
        if whose != self.principal.public_id:
            require(self.principal, "chat:read_all")
        who = self.principal.public_id
        position = await questions.run_for(who, exchange.position_of, before, whose) if before else None
        if before and position is None:
            raise ApiError("not_found", title="There is no such message.")
        messages, has_more = await questions.run_for(
            who, exchange.history, whose, session_id, limit=limit, before=position
        )
        return answer({"messages": [exchange.as_json(message) for message in messages], "has_more": has_more})


def _read_message(body: dict[str, Any], *, key_text: str | None, by: WindowActor) -> Message:
    """Raises ApiError."""
    fields = Fields(body)
    content = fields.text("message", maximum=exchange.MESSAGE_LIMIT, required=True)
    session_id = fields.id("session_id")
    metadata = fields.object("metadata")
    read = {"message": content, "session_id": session_id, "metadata": metadata}
    sent, key = b"", None
    try:
        key = read_key(key_text)
        sent = exact_json.canonical(read)
        if len(exact_json.dumps(metadata)) > exchange.METADATA_LIMIT_BYTES:
            fields.wrong("metadata", f"at most {exchange.METADATA_LIMIT_BYTES} bytes of JSON")
    except orjson.JSONEncodeError as error:
        fields.wrong("metadata", str(error))
    except Invalid as invalid:
        fields.errors.update(invalid.errors)
    fields.refuse_wrong()
    fingerprint = hashlib.sha256(sent).hexdigest()[:32]
    return Message(content, session_id or tokens.new_uuid(), by, key, fingerprint, metadata)


def _read_id(query: Query, name: str) -> str:
    """Raises BadFilter, ApiError."""
    text = single(query, name)
    if text and not ID_FORM.fullmatch(text):
        raise BadFilter(name, "1 to 64 of A-Z a-z 0-9 . _ -")
    return text


def _read_message_id(query: Query, name: str) -> uuid.UUID | None:
    text = single(query, name)
    if text and not re.fullmatch(openapi.UUID_FORM, text, re.ASCII):
        raise BadFilter(name, "not the id of a message")
    return uuid.UUID(text) if text else None


def _replied(reply: Reply, correlation_id: str) -> dict[str, object]:
    return {
        "response": reply.text,
        "message_id": str(reply.message.message_id),
        "response_id": reply.answer and str(reply.answer.message_id),
        "session_id": reply.message.session_id,
        "correlation_id": correlation_id,
        "degraded": reply.degraded,
        "fallback_source": FALLBACK if reply.degraded else None,
        "provider": reply.answer and reply.answer.provider,
        "model_used": reply.answer and reply.answer.model_used,
    }
