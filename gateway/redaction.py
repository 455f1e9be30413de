"""Credentials blotted out of text that others will read: log lines, findings, ids that are stored.

A credential is found in decoded text: `%2576x11p_...` is a token to a reader that decodes twice. Every pattern
here takes linear time, for a text may be as long and as odd as a caller likes.
"""

import functools
import re
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings

MASK = "***"
# How often percent-encoding is undone; what is encoded more often than that is blotted out unread.
DECODING_ROUNDS = 4
PASSWORD_MIN_LENGTH = 6

_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_WORD = re.compile(r"""[^\s"'<>]+""")
_UNBROKEN = re.compile(r"\S*")
_DELIMITER = re.compile(r"([/?&#;])")
# The end of a name under which a credential stands, with its value: of a query, a cookie, a setting.
_NAMED = re.compile(r"(?i)((?:token|api_key|apikey|authorization|password|secret|vx11_session|vx11_csrf)=)[^&\s\"'<>]+")
# A ticket under whatever name it stands, or none; but for the ids of requests and streams, for which logs are searched:
# in our own lines a space stands before their names. To look for the events of a request is what logs are read for.
_TICKET = re.compile(
    r"(?i)(?<![?&\s]correlation_id=)(?<!\sstream=)(?<!stream )[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII
)
# Our own tokens anywhere: tracebacks quote arguments.
_OWN = re.compile(r"(?i)(vx11[ps]_)[A-Za-z0-9_-]{16,}", re.ASCII)
# What may stand in an address as it is.
_PLAIN = "!$%&'()*+,-./:;=?@[]^_`{|}~#"


def redact(text: str) -> str:
    """The text with every credential in it replaced by ***."""
    if "%" in text:
        text = _WORD.sub(_without_encoded, text)
    return _blot(text)


def is_credential(text: str) -> bool:
    """Whether it holds a token of ours, or a secret that the environment gave. Tickets look like any other uuid."""
    given = given_texts()
    return _OWN.search(text) is not None or (given is not None and given.search(text) is not None)


@functools.cache
def given_texts() -> re.Pattern[str] | None:
    """Secrets that the environment gave, which may look like anything: wherever they stand, in all usual spellings."""
    forms = {form for secret in _given() if secret for form in _spellings(secret)}
    # The longest first: one may begin with another.
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None


def _given() -> set[str]:
    """Short passwords would be found in every other word, which gives them away; in addresses their place tells."""
    passwords = {settings.DATABASES["default"].get("PASSWORD") or "", urlsplit(settings.REDIS_URL).password or ""}
    for access in (settings.POSTGRES, settings.REDIS):
        passwords.update(access.passwords if access else ())
    passwords |= {unquote(password) for password in passwords}
    tokens = {*settings.PRINCIPAL_TOKENS, *settings.SERVICE_TOKENS, settings.SECRET_KEY, settings.CHAT_UPSTREAM_TOKEN}
    return tokens | {password for password in passwords if len(password) >= PASSWORD_MIN_LENGTH}


def _spellings(secret: str) -> set[str]:
    """As it is, as an address has it, as Python quotes it in an error, as UTF-8 that was read byte by byte."""
    encoded = secret.encode(errors="surrogateescape")
    spelled = {secret, quote(encoded, safe=""), repr(secret)[1:-1], repr(encoded)[2:-1], encoded.decode("latin-1")}
    # A secret that holds what looks like percent-encoding is compared with text that was decoded.
    return spelled | ({_decoded(secret)} - {MASK})


def _blot(text: str) -> str:
    """Without the credentials that stand there as they are."""
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
    """Without those that stand in addresses: ://name:password@host."""
    beginning, *addresses = text.split("://")
    return "://".join([beginning, *map(_without_password, addresses)])


def _without_password(address: str) -> str:
    # By searching forward from one sign to the next: this is linear, whatever stands between them.
    word = _UNBROKEN.match(address)
    name, colon, rest = address[: word.end() if word else 0].partition(":")
    password, at, _ = rest.rpartition("@")
    if not at or "/" in name or "@" in name:
        return address
    return f"{name}{colon}{MASK}{address[len(name) + len(colon) + len(password) :]}"


def _without_encoded(found: re.Match[str]) -> str:
    """A word without what is a credential only once it is decoded; as it came if there is none."""
    word = found[0]
    if "%" not in word:
        return word
    plain = _decoded(word)
    if plain != MASK and _blot(plain) == plain:
        return word
    # A value ends at a delimiter that came as one; one that was encoded belongs to the value.
    parts = "".join(_part_without_encoded(part) for part in _DELIMITER.split(word))
    # What the environment gave may hold a delimiter.
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
    """The part as it came, unless its plain text holds a credential, or cannot be known."""
    if plain == MASK:
        return MASK
    blotted = _blot(plain)
    return part if blotted == plain else quote(blotted, safe=_PLAIN)


def _decoded(text: str) -> str:
    """Without percent-encoding; *** for what is encoded too often."""
    for _ in range(DECODING_ROUNDS):
        plainer = _ESCAPE.sub(_character, text)
        if plainer == text:
            return text
        text = plainer
    return text if _ESCAPE.search(text) is None else MASK


def _character(found: re.Match[str]) -> str:
    return chr(int(found[0][1:], 16))
