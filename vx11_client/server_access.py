"""Where the server is and which token opens it: checked before the first request. Reads environment and files only."""

import os
from pathlib import Path

import httpx2

from vx11_client.errors import InvalidSettings
from vx11_client.terminal_text import shown

DEFAULT_URL = "http://127.0.0.1:8000"


class NoToken(InvalidSettings):
    """Neither the variable nor a file has a token."""


def server_url(text: str, *, name: str = "url") -> str:
    """The address of a server, with the path in front of `/operator/` if it has one, without its last slash.

    Raises InvalidSettings when it is no address over HTTP or holds a password; its text begins with `name`.
    """
    try:
        url = httpx2.URL(text)
        url.host.encode("idna")
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise InvalidSettings(f"{name}: {shown(str(error))}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidSettings(f"{name} must begin with http:// or https:// and name a host")
    if url.userinfo or url.query or url.fragment:
        raise InvalidSettings(f"{name} must hold no user name, query or fragment")
    return text.rstrip("/")


def url_from_environment() -> str:
    """`VX11_URL`, or the address of a server on this machine (DEFAULT_URL)."""
    return os.environ.get("VX11_URL", "").strip() or DEFAULT_URL


def token_from_environment(variable: str, *, file: Path | None = None) -> str:
    """The first token of `file`, of the variable, or of the file that `<variable>_FILE` names.

    Raises NoToken when there is none, else InvalidSettings, which never shows what was found.
    """
    path = file
    if path is None and not os.environ.get(variable, "").strip() and os.environ.get(f"{variable}_FILE"):
        path = Path(os.environ[f"{variable}_FILE"])
    try:
        text = os.environ.get(variable, "") if path is None else path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidSettings(f"{shown(str(path))} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidSettings(f"{shown(str(path))} does not hold a token") from None
    found = next((item.strip() for item in text.split(",") if item.strip()), "")
    if not found:
        raise NoToken(f"no token: set {variable} or {variable}_FILE")
    return checked_token(found)


def checked_token(text: str) -> str:
    """`text` itself. Raises InvalidSettings for what no HTTP header can carry, and for an empty text."""
    if not text:
        raise NoToken("no token: it is empty")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise InvalidSettings("the token holds characters that no token has")
    return text
