"""Users of the console and the admin, put into an installation's database, and sessions of theirs."""

import dataclasses
import functools
import json
import secrets

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.servers import RunningServer
from tests.stacks import Stack

# What signing in leaves in the database; the form has tests of its own.
NEW_SESSION = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
user = User.objects.get(username={name!r})
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print(session.session_key)
"""


@dataclasses.dataclass(frozen=True)
class Account:
    """`server` is one whose database has it."""

    name: str
    password: str
    server: RunningServer | None = None

    def new_session(self) -> str:
        """The value of a cookie, as signing in sets it."""
        assert self.server is not None, "this account is in no database"
        return self.server.python(NEW_SESSION.format(name=self.name)).strip()


@functools.cache
def password_and_hash() -> tuple[str, str]:
    """The password of all accounts of this process: to hash one takes 0.4 s of CPU, on purpose."""
    password = secrets.token_urlsafe(16)
    return password, PBKDF2PasswordHasher().encode(password, secrets.token_hex(16))


def add_account(stack: Stack, *, group: str | None, name: str | None = None) -> Account:
    """A new user of the console, in one group or in none."""
    password, hashed = password_and_hash()
    account = Account(name or f"user-{secrets.token_hex(4)}", password, stack.a)
    values = json.dumps({"username": account.name, "password": hashed})
    # At once: a server must not come to know of the account and not of its role.
    lines = ["from django.contrib.auth.models import Group, User", "from django.db import transaction"]
    lines += ["with transaction.atomic():", f"    user = User.objects.create(**{values})"]
    lines += [f"    user.groups.add(Group.objects.get(name={group!r}))"] if group else []
    stack.a.python("\n".join(lines))
    stack.credentials.add(account.password)
    return account


def change_account(account: Account, statement: str) -> None:
    """Runs one statement about `user` beside the server, as an administrator's command would."""
    assert account.server is not None, "this account is in no database"
    account.server.python(f"user = User.objects.get(username={account.name!r})\n{statement}")
