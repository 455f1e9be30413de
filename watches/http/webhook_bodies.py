"""Bodies about webhooks, checked: what they say, with all mistakes named together."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from events import query as language
from events.log import BadCursor, Cursor
from gateway import standard_webhooks
from gateway.filters import BadFilter
from operator_api.http.fields import Fields
from watches.delivery import addresses
from watches.delivery.addresses import ADDRESS_LIMIT_CHARACTERS
from watches.models import NAME_LENGTH
from watches.subscriptions import NEWEST, OLDEST, Given

SECRET_LIMIT_CHARACTERS = 200
CURSOR_LIMIT_CHARACTERS = 40
_CHANGED = ("name", "query", "address", "secret")


def read_new(body: Mapping[str, Any]) -> Given:
    """Raises ApiError. Without a secret a new one is made."""
    given = _read(body, known=(*_CHANGED, "from"), required=True)
    return given if given.secret else dataclasses.replace(given, secret=standard_webhooks.new_secret())


def read_change(body: Mapping[str, Any]) -> Given:
    """Raises ApiError."""
    return _read(body, known=_CHANGED, required=False)


def read_start(body: Mapping[str, Any]) -> str | Cursor | None:
    """Where to send from; None: from where it is. Raises ApiError."""
    return _read(body, known=("from",), required=False).begin


def _read(body: Mapping[str, Any], *, known: tuple[str, ...], required: bool) -> Given:
    fields = Fields(dict(body))
    fields.refuse_unknown(known)
    given = Given(
        name=_name(fields, required=required),
        query=_query(fields),
        address=_address(fields, required=required),
        secret=_secret(fields),
        begin=_begin(fields),
    )
    fields.refuse_wrong()
    return given


def _name(fields: Fields, *, required: bool) -> str | None:
    if not required and not fields.has("name"):
        return None
    return fields.line("name", maximum=NAME_LENGTH, required=True)


def _query(fields: Fields) -> str | None:
    if not fields.has("query"):
        return None
    text = fields.line("query", maximum=language.LENGTH_LIMIT_CHARACTERS).strip()
    try:
        if text:
            language.check(text)
    except BadFilter as mistake:
        fields.errors["query"] = mistake.errors["q"]
    return text


def _address(fields: Fields, *, required: bool) -> str | None:
    if not required and not fields.has("address"):
        return None
    address = fields.text("address", maximum=ADDRESS_LIMIT_CHARACTERS, required=True).strip()
    if "address" not in fields.errors and not addresses.is_http(address):
        fields.wrong("address", "https://host/path, without a name and password")
    return address


def _secret(fields: Fields) -> str | None:
    if not fields.has("secret"):
        return None
    secret = fields.text("secret", maximum=SECRET_LIMIT_CHARACTERS, required=True).strip()
    try:
        if "secret" not in fields.errors:
            standard_webhooks.key_of(secret)
    except standard_webhooks.BadSecret as wrong:
        fields.wrong("secret", str(wrong))
    return secret


def _begin(fields: Fields) -> str | Cursor | None:
    if not fields.has("from"):
        return None
    text = fields.text("from", maximum=CURSOR_LIMIT_CHARACTERS, required=True)
    try:
        return text if text in (NEWEST, OLDEST) else Cursor.parse(text)
    except BadCursor:
        fields.wrong("from", f"{NEWEST}, {OLDEST}, or a cursor of this log")
        return None
