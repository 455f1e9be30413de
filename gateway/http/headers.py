"""What headers and query of a request contain: correlation id, credentials, address. No I/O."""

import base64
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from gateway import tokens
from gateway.addresses import Network, is_address, is_within
from gateway.http.errors import ApiError, TokenInQuery
from gateway.redaction import is_credential
from vx11_client.wire_names import ID_FORM

RawHeaders = Iterable[tuple[bytes, bytes]]

# Query keys that are refused, because a credential in a URL ends up in logs and histories.
CREDENTIAL_KEYS = frozenset({"access_token", "x-vx11-token", "authorization", "api_key"})
# More query parameters than this are a mistake or an attack.
QUERY_FIELDS_LIMIT = 200

# Sent with every response. The policy admits nothing inline and nothing from other origins.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would send `Origin: null` with our own forms, and CSRF protection refuses that.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def all_values(headers: RawHeaders, name: bytes) -> list[str]:
    """The values of every header of this name (lower case), in order.

    Only spaces and tabs around them are removed: Python's strip() removes characters that other programs take for
    letters.
    """
    return [value.decode("latin-1").strip(" \t") for key, value in headers if key == name]


def content_type(headers: RawHeaders) -> str:
    """The type of a body, as it was sent; "" without one."""
    return next(iter(all_values(headers, b"content-type")), "")


def correlation_id(headers: RawHeaders) -> str:
    """The caller's own id if it is harmless, else a new one: it is stored and logged, so it must be no credential."""
    given = all_values(headers, b"x-correlation-id")
    harmless = len(given) == 1 and ID_FORM.fullmatch(given[0]) and not is_credential(given[0])
    return given[0] if harmless else tokens.new_uuid()


def credential(headers: RawHeaders) -> str | None:
    """The one token of the token headers; an empty header counts as none. Raises ApiError for two that differ."""
    headers = list(headers)
    given = [value for value in all_values(headers, b"x-vx11-token") if value]
    for value in all_values(headers, b"authorization"):
        scheme, _, text = value.partition(" ")
        if scheme.lower() == "bearer" and (token := text.strip(" \t")):
            given.append(token)
    if any(not tokens.same(value, given[0]) for value in given[1:]):
        raise ApiError("ambiguous_credentials")
    return given[0] if given else None


def basic_password(headers: RawHeaders) -> str | None:
    """The password of HTTP's Basic scheme, for addresses whose senders have no other place for a token.

    None without one. Elsewhere it is not read: a proxy may ask for a password of its own, which is not our token.
    """
    for value in all_values(headers, b"authorization"):
        scheme, _, text = value.partition(" ")
        if scheme.lower() != "basic":
            continue
        try:
            pair = base64.b64decode(text.strip(" \t"), validate=True).decode("utf-8")
        except ValueError:
            return None
        return pair.partition(":")[2].strip(" \t") or None
    return None


def query_of(raw: bytes) -> dict[str, list[str]]:
    """The query as lists of values. Raises ApiError for bytes that are not UTF-8, or a token where none may stand."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_LIMIT
        )
    except ValueError:
        raise ApiError("bad_request", title="The query cannot be read.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    refuse_tokens(fields)
    return fields


def refuse_tokens(query: dict[str, list[str]]) -> None:
    """Raises ApiError for a long-lived token in a URL. It has leaked already, so it is refused without being
    checked.
    """
    texts = [text for name, values in query.items() if name.lower() in CREDENTIAL_KEYS for text in values]
    found = [text for text in query.get("token", ()) if text and not tokens.looks_like_ticket(text)]
    if found or any(name.lower() in CREDENTIAL_KEYS for name in query):
        raise TokenInQuery([tokens.digest(text.removeprefix("Bearer ")) for text in found + texts])


def client_address(peer: str, headers: RawHeaders, trusted: Sequence[Network]) -> str:
    """The caller's address: the peer's, or what a trusted proxy says in X-Real-IP."""
    if not trusted or not is_within(peer, trusted):
        return peer
    given = all_values(headers, b"x-real-ip")
    return given[0] if len(given) == 1 and is_address(given[0]) else peer
