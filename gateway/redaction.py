"""Removes credentials from text that others will read: log lines, findings, ids that are stored.

Credentials are searched in decoded text: `%2576x11p_...` is a token for a reader that decodes twice. Every pattern here
takes linear time, because callers choose the length and the content of the text.
"""

import functools
import re
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings

MASK = "***"
# How often percent-encoding is decoded; a text that is encoded more often is masked as a whole.
DECODING_ROUNDS = 4
PASSWORD_MIN_LENGTH = 6

_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_PIECE = re.compile(r"""[^\s"'<>]+""")
_UNBROKEN = re.compile(r"\S*")
_DELIMITER = re.compile(r"([/?&#;])")
# A name that ends like that of a credential, with its value: in a query, a cookie or a setting.
_NAMED = re.compile(r"(?i)((?:token|api_key|apikey|authorization|password|secret|vx11_session|vx11_csrf)=)[^&\s\"'<>]+")
# A ticket, whatever its name. Ids of requests and streams have the same form and are not masked, because people search
# logs for them: in our own lines a space stands before their names.
_TICKET = re.compile(
    r"(?i)(?<![?&\s]correlation_id=)(?<!\sstream=)(?<!stream )[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII
)
# Our own tokens at any place: tracebacks quote arguments.
_OWN = re.compile(r"(?i)(vx11[ps]_)[A-Za-z0-9_-]{16,}", re.ASCII)
# Characters that need no encoding in a URL.
_PLAIN = "!$%&'()*+,-./:;=?@[]^_`{|}~#"


def redact(text: str) -> str:
    """The text with every credential in it replaced by ***."""
    if "%" in text:
        text = _PIECE.sub(_without_encoded, text)
    return _blot(text)


def is_credential(text: str) -> bool:
    """Whether it holds one of our tokens, or a secret of the environment. Tickets look like any uuid and do not
    count.
    """
    given = given_texts()
    return _OWN.search(text) is not None or (given is not None and given.search(text) is not None)


@functools.cache
def given_texts() -> re.Pattern[str] | None:
    """A pattern for the secrets of the environment in all usual spellings; they may have any form."""
    forms = {form for secret in _given() if secret for form in _spellings(secret)}
    # The longest first, because one may begin with another.
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None


def _given() -> set[str]:
    """Without short passwords: they would match parts of ordinary words, and the mask would reveal them. In URLs, all
    passwords are found by their position.
    """
    passwords = {settings.DATABASES["default"].get("PASSWORD") or "", urlsplit(settings.REDIS_URL).password or ""}
    for access in (settings.POSTGRES, settings.REDIS):
        passwords.update(access.passwords if access else ())
    passwords |= {unquote(password) for password in passwords}
    tokens = {*settings.PRINCIPAL_TOKENS, *settings.SERVICE_TOKENS, settings.SECRET_KEY, settings.CHAT_UPSTREAM_TOKEN}
    return tokens | {password for password in passwords if len(password) >= PASSWORD_MIN_LENGTH}


def _spellings(secret: str) -> set[str]:
    """Unchanged, percent-encoded, as Python quotes it in an error, and as UTF-8 that was decoded as latin-1."""
    encoded = secret.encode(errors="surrogateescape")
    spelled = {secret, quote(encoded, safe=""), repr(secret)[1:-1], repr(encoded)[2:-1], encoded.decode("latin-1")}
    # Text is decoded before it is compared, so a secret with something like percent-encoding is needed decoded too.
    return spelled | ({_decoded(secret)} - {MASK})


def _blot(text: str) -> str:
    """The text without credentials that are not encoded."""
    given = given_texts()
    if given is not None:
        text = given.sub(MASK, text)
    if "=" in text:
        text = _NAMED.sub(rf"\1{MASK}", text)
    if "://" in text:
        text = _without_passwords(text)
    if "-" in text:
        text = _TICKET.sub(MASK, text)
    return _OWN.sub(rf"\1{MASK}", text) if "_" in text else text


def _without_passwords(text: str) -> str:
    """The text without passwords in URLs: ://name:password@host."""
    beginning, *addresses = text.split("://")
    return "://".join([beginning, *map(_without_password, addresses)])


def _without_password(address: str) -> str:
    # By searching forward from one sign to the next, which takes linear time for every text.
    word = _UNBROKEN.match(address)
    name, colon, rest = address[: word.end() if word else 0].partition(":")
    password, at, _ = rest.rpartition("@")
    if not at or "/" in name or "@" in name:
        return address
    return f"{name}{colon}{MASK}{address[len(name) + len(colon) + len(password) :]}"


def _without_encoded(found: re.Match[str]) -> str:
    """A piece of text without credentials that are encoded; unchanged if it has none."""
    piece = found[0]
    if "%" not in piece:
        return piece
    plain = _decoded(piece)
    if plain != MASK and _blot(plain) == plain:
        return piece
    # A value ends at a literal delimiter; an encoded one belongs to the value.
    parts = "".join(_part_without_encoded(part) for part in _DELIMITER.split(piece))
    # A secret of the environment may contain a delimiter.
    return _changed(parts, _decoded(parts))


def _part_without_encoded(part: str) -> str:
    if "%" not in part:
        return part
    plain = _decoded(part)
    named = _NAMED.search(plain)
    if named is not None:
        return quote(plain[: named.end(1)], safe=_PLAIN) + MASK
    return _changed(part, plain)


def _changed(part: str, plain: str) -> str:
    """The part unchanged, unless its decoded text holds a credential, or is encoded too often."""
    if plain == MASK:
        return MASK
    blotted = _blot(plain)
    return part if blotted == plain else quote(blotted, safe=_PLAIN)


def _decoded(text: str) -> str:
    """The text without percent-encoding; *** if it is encoded too often."""
    for _ in range(DECODING_ROUNDS):
        plainer = _ESCAPE.sub(_character, text)
        if plainer == text:
            return text
        text = plainer
    return text if _ESCAPE.search(text) is None else MASK


def _character(found: re.Match[str]) -> str:
    return chr(int(found[0][1:], 16))
