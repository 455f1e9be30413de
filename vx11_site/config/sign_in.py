"""How people may sign in besides with a password of ours, from the environment. No Django."""

import dataclasses
import re
from collections.abc import Mapping

from gateway.scopes import SCOPES_OF_GROUP
from vx11_site.config.environment import BadEnvironment, Environment

# A header's name; underscores are not passed on by many servers.
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
# Headers that hold something else.
TAKEN = frozenset({"authorization", "connection", "cookie", "forwarded", "host", "x-vx11-token"})


@dataclasses.dataclass(frozen=True)
class ProxySignIn:
    """A proxy that has signed the person in and names them in a header; header names in lower case.

    `role_of_group` maps the names in `groups_header` to groups of ours; without that header, groups are given in the
    admin.
    """

    user_header: bytes
    groups_header: bytes
    role_of_group: Mapping[str, str]
    session_seconds: int


def by_proxy(environment: Environment) -> ProxySignIn | None:
    """None without VX11_PROXY_USER_HEADER. Raises BadEnvironment."""
    user_header = _header(environment, "VX11_PROXY_USER_HEADER")
    groups_header = _header(environment, "VX11_PROXY_GROUPS_HEADER")
    roles = role_of_group(environment)
    seconds = environment.number("VX11_PROXY_SESSION_SECONDS", minimum=60, maximum=12 * 3600)
    if not user_header:
        if groups_header:
            raise BadEnvironment("VX11_PROXY_GROUPS_HEADER is set, and VX11_PROXY_USER_HEADER is not")
        return None
    if user_header == groups_header:
        raise BadEnvironment("VX11_PROXY_USER_HEADER and VX11_PROXY_GROUPS_HEADER are the same header")
    if groups_header and not roles:
        raise BadEnvironment("VX11_PROXY_GROUPS_HEADER needs VX11_GROUPS, e.g. ops=operator,leads=administrator")
    return ProxySignIn(user_header, groups_header, roles, seconds)


def backends(by_proxy: ProxySignIn | None) -> list[str]:
    """Those that Django asks for the user of a session, besides its own."""
    return ["gateway.identity.proxy_users.ProxyUserBackend"] if by_proxy else []


def role_of_group(environment: Environment) -> dict[str, str]:
    """VX11_GROUPS: whose members have which role. Raises BadEnvironment."""
    found: dict[str, str] = {}
    for item in environment.items("VX11_GROUPS"):
        group, _, role = (part.strip() for part in item.rpartition("="))
        if not group or role not in SCOPES_OF_GROUP:
            known = ", ".join(SCOPES_OF_GROUP)
            raise BadEnvironment(f"VX11_GROUPS has {item!r}; use group=role, with one of the roles {known}")
        if found.setdefault(group, role) != role:
            raise BadEnvironment(f"VX11_GROUPS gives {group!r} two roles")
    return found


def _header(environment: Environment, name: str) -> bytes:
    text = environment.text(name)
    if not text:
        return b""
    if not _HEADER.fullmatch(text) or text.lower() in TAKEN or text.lower().startswith("sec-"):
        raise BadEnvironment(f"{name} is {text!r}; use the name of a header of its own, e.g. X-Forwarded-User")
    return text.lower().encode()
