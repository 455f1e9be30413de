"""People whom a trusted proxy has signed in: it names them in a header of each request.

The header is the truth. Who is named gets a session; a request in that session which does not name the same person is
a request without a session, and a page ends it then. A session of this kind is short, and each request of its person
prolongs it: so who is let through no more is out when it ends, with all tickets and streams. See docs/sign-in.md.
"""

import dataclasses
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import transaction

from gateway.addresses import is_within
from gateway.scopes import SCOPES_OF_GROUP
from ledger import clock

# The name of ProxyUserBackend in sessions.
BACKEND = "gateway.identity.proxy_users.ProxyUserBackend"
# As long as the column of names; and of a list of groups.
NAME_LIMIT_CHARACTERS = 150
GROUPS_LIMIT_CHARACTERS = 8192
# Keys in such a session: when it was prolonged last, in seconds of the database's clock, and the roles it gave.
PROLONGED_AT, ROLES = "vx11_prolonged_at", "vx11_roles"


@dataclasses.dataclass(frozen=True)
class ProxyUser:
    """Who the proxy says it is. `roles` is None where roles are given in the admin."""

    name: str
    roles: frozenset[str] | None


class ProxyUserBackend(ModelBackend):
    """Django asks it whether the user of such a session still exists and is active; it signs in no one."""

    def authenticate(self, *args: object, **kwargs: object) -> None:
        return None


def named(peer: str, raw: Iterable[tuple[bytes, bytes]]) -> ProxyUser | None:
    """The person in the headers of a request; None without one, and for a header that no trusted proxy has set."""
    how = settings.PROXY_SIGN_IN
    if how is None or not is_within(peer, settings.TRUSTED_PROXIES):
        return None
    pairs = list(raw)
    names = [value for key, value in pairs if key == how.user_header]
    # Two are a client's and the proxy's: which is which cannot be known.
    name = _text(names[0], NAME_LIMIT_CHARACTERS) if len(names) == 1 else ""
    if not name:
        return None
    if not how.groups_header:
        return ProxyUser(name, None)
    groups = [value for key, value in pairs if key == how.groups_header]
    text = _text(groups[0], GROUPS_LIMIT_CHARACTERS) if len(groups) == 1 else ""
    given = (how.role_of_group.get(group.strip()) for group in text.split(","))
    return ProxyUser(name, frozenset(role for role in given if role))


def account_of(person: ProxyUser) -> User | None:
    """Their account, made now if there is none, with the roles that were given. None if it may not sign in so.

    An account with a password is a local one: a proxy that lets people choose their names does not open it.
    """
    with transaction.atomic():
        no_password = {"password": make_password(None)}
        user, _ = User.objects.get_or_create(username=person.name, defaults=no_password)
        if user.has_usable_password() or not user.is_active:
            return None
        if person.roles is not None:
            give_roles(user, person.roles)
    return user


def give_roles(user: User, roles: frozenset[str]) -> None:
    """Exactly these of our roles; other groups stay."""
    has = set(user.groups.filter(name__in=SCOPES_OF_GROUP).values_list("name", flat=True))
    if has != roles:
        user.groups.remove(*Group.objects.filter(name__in=has - roles))
        user.groups.add(*Group.objects.filter(name__in=roles - has))


def is_of_proxy(session: SessionBase) -> bool:
    return session.get(BACKEND_SESSION_KEY) == BACKEND


def note(session: SessionBase, person: ProxyUser) -> None:
    """Write into a session of this person, which begins or goes on, what `is_current` compares."""
    # The cookie lasts as long as the browser: the row decides.
    session.set_expiry(0)
    session[PROLONGED_AT] = int(clock.now().timestamp())
    session[ROLES] = None if person.roles is None else sorted(person.roles)


def is_current(session: SessionBase, user: User | AnonymousUser, person: ProxyUser | None) -> bool:
    """Whether the session is this person's, with the roles that they have now."""
    roles = None if person is None or person.roles is None else sorted(person.roles)
    return person is not None and user.get_username() == person.name and session.get(ROLES) == roles


def prolong(session: SessionBase) -> bool:
    """At half of its time, in the database at once; False if the session was ended meanwhile."""
    how = settings.PROXY_SIGN_IN
    if how is None:
        return False
    lasted_seconds = clock.now().timestamp() - session.get(PROLONGED_AT, 0)
    if lasted_seconds < how.session_seconds / 2:
        return True
    session[PROLONGED_AT] = int(clock.now().timestamp())
    try:
        session.save()
    except UpdateError:
        return False
    return True


def confirmed(session: SessionBase, user: User | AnonymousUser, person: ProxyUser | None) -> User | AnonymousUser:
    """The user of a request to the API in this session: an anonymous one, if the proxy's header does not name them."""
    if not is_of_proxy(session):
        return user
    if not is_current(session, user, person) or not prolong(session):
        return AnonymousUser()
    return user


def _text(value: bytes, limit_characters: int) -> str:
    """ "" for what is too long, or no text without control characters."""
    try:
        text = value.decode("utf-8").strip(" \t")
    except UnicodeDecodeError:
        return ""
    return text if len(text) <= limit_characters and text.isprintable() else ""
