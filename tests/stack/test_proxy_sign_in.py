"""People whom a trusted proxy names in a header: who is believed, what they may do, and when they are out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, LOOPBACK, Json
from tests.conftest import POSTGRES, OwnStack
from tests.stacks import Size, Stack
from tests.waiting import wait_until

USER, GROUPS = "X-Forwarded-User", "X-Forwarded-Groups"
SSE_TOKEN = f"{API}/events/sse-token"
CSRF_META = re.compile(r'name="csrf-token"\s+content="([^"]+)"')
# The shortest that is allowed.
SESSION_SECONDS = 60
SETTINGS = {
    "VX11_TRUSTED_PROXIES": "127.0.0.1/32",
    "VX11_PROXY_USER_HEADER": USER,
    "VX11_PROXY_GROUPS_HEADER": GROUPS,
    "VX11_GROUPS": "ops=operator,leads=administrator,all staff=viewer",
    "VX11_PROXY_SESSION_SECONDS": str(SESSION_SECONDS),
}


@pytest.fixture(scope="module")
def proxied(stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("proxied")
    with Stack(stack_size, folder, postgres=pytestconfig.stash[POSTGRES], environment=SETTINGS) as stack:
        yield stack
        stack.assert_clean_logs()


@contextmanager
def browser(stack: Stack, name: str = "", groups: str = "") -> Iterator[httpx2.Client]:
    """As it comes through the proxy, which has signed its person in."""
    headers = ({USER: name} if name else {}) | ({GROUPS: groups} if groups else {})
    with httpx2.Client(base_url=stack.a.url, headers=headers, **LOOPBACK, timeout=10) as client:
        yield client


def console(client: httpx2.Client) -> str:
    """The CSRF token of the page, "" where it is the page that asks who it is."""
    page = client.get("/operator/", follow_redirects=True)
    assert page.status_code == 200
    found = CSRF_META.search(page.text)
    return found[1] if found else ""


def ticket(client: httpx2.Client, csrf: str) -> httpx2.Response:
    return client.post(SSE_TOKEN, headers={"X-CSRFToken": csrf, "Referer": str(client.base_url)})


def may(client: httpx2.Client, csrf: str) -> bool:
    answer = ticket(client, csrf)
    assert answer.status_code in (200, 401, 403), answer.text
    return answer.status_code == 200


def test_who_is_named_is_signed_in_with_the_roles_of_their_groups(proxied: Stack) -> None:
    with browser(proxied, "ada", "unknown, ops ,all staff") as client:
        csrf = console(client)
        assert may(client, csrf)
    roles = proxied.a.python(
        "from django.contrib.auth.models import User; user = User.objects.get(username='ada'); "
        "print(sorted(user.groups.values_list('name', flat=True)), user.has_usable_password(), user.is_staff)"
    )
    assert roles.strip() == "['operator', 'viewer'] False False"


def test_without_a_group_of_ours_a_person_is_signed_in_and_may_nothing(proxied: Stack) -> None:
    with browser(proxied, "bob", "canteen") as client:
        csrf = console(client)
        assert csrf
        assert_problem(ticket(client, csrf), 403, "insufficient_scope")


def test_a_group_that_is_taken_away_takes_its_role_at_the_next_page(proxied: Stack) -> None:
    with browser(proxied, "carol", "ops") as client:
        assert may(client, console(client))
        client.headers[GROUPS] = "canteen"
        # The session is of other rights, so it counts no more, before any page was loaded.
        assert ticket(client, "").status_code == 401
        csrf = console(client)
        assert csrf
        assert not may(client, csrf)


@pytest.mark.parametrize(
    "other",
    [{}, {USER: "eve"}, {USER: ""}, {USER: "x" * 151}, {USER: "dave\x01"}, {USER: b"dave\xff"}],
    ids=["none", "another", "empty", "long", "control", "bytes"],
)
def test_a_request_that_names_another_or_none_is_not_that_person_s(proxied: Stack, other: Json) -> None:
    with browser(proxied, "dave", "ops") as client:
        csrf = console(client)
        client.headers = httpx2.Headers({GROUPS: "ops", **other})
        # Bytes that no header may hold are refused before it is asked who it is.
        assert ticket(client, csrf).status_code in (400, 401)
        client.headers = httpx2.Headers({GROUPS: "ops"})
        if "eve" not in other.values():
            assert console(client) == ""
            assert "login" in str(client.get("/operator/", follow_redirects=True).url)


def test_a_header_that_comes_twice_names_none(proxied: Stack) -> None:
    with browser(proxied, groups="ops") as client:
        headers = [(USER, "frank"), (USER, "root"), (GROUPS, "leads")]
        page = client.get("/operator/", headers=headers, follow_redirects=True)
    assert "login" in str(page.url)


def test_another_peer_is_not_believed(own_stack: OwnStack) -> None:
    stack = own_stack(**{**SETTINGS, "VX11_TRUSTED_PROXIES": "192.0.2.0/24"})
    with browser(stack, "grace", "leads") as client:
        assert console(client) == ""


def test_an_account_with_a_password_is_not_opened_by_a_header(proxied: Stack) -> None:
    proxied.a.python(
        "from django.contrib.auth.models import User; "
        "User.objects.create_superuser('local-root', password='of-its-own-1')"
    )
    with browser(proxied, "local-root", "leads") as client:
        assert console(client) == ""


def test_an_account_that_was_disabled_here_is_not_opened(proxied: Stack) -> None:
    with browser(proxied, "heidi", "ops") as client:
        csrf = console(client)
        assert may(client, csrf)
        proxied.a.python(
            "from django.contrib.auth.models import User; user = User.objects.get(username='heidi'); "
            "user.is_active = False; user.save()"
        )
        wait_until(lambda: not may(client, csrf), "rights are read again")
        assert console(client) == ""


def test_open_streams_end_when_another_person_comes_in_the_same_browser(proxied: Stack) -> None:
    with browser(proxied, "ivan", "ops") as client:
        issued = ticket(client, console(client)).json()
        with proxied.client(None).stream(token=issued["sse_token"]) as stream:
            stream.connected()
            client.headers[USER] = "judy"
            assert console(client)
            assert stream.named("stream-end").data["reason"] == "revoked"


def test_a_session_ends_soon_after_its_last_request_and_not_before(proxied: Stack) -> None:
    with browser(proxied, "mallory", "ops") as client:
        csrf = console(client)
        cookie = client.cookies.jar
        assert all(one.expires is None for one in cookie if "session" in one.name), "the row decides"
        assert 0 < remaining_seconds(proxied, "mallory") <= SESSION_SECONDS
        # As if half of the time had passed since it was prolonged.
        proxied.a.python(AGE.format(name="mallory", seconds=SESSION_SECONDS // 2 + 5))
        before = remaining_seconds(proxied, "mallory")
        assert may(client, csrf)
        assert remaining_seconds(proxied, "mallory") > before
        proxied.a.python(AGE.format(name="mallory", seconds=SESSION_SECONDS + 5))
        wait_until(lambda: not may(client, csrf), "the session is over")


FIND = """
from datetime import timedelta
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from gateway.identity.session_store import SessionStore
from ledger import clock
user = User.objects.get(username={name!r})
decode = SessionStore().decode
(session,) = [row for row in Session.objects.all() if decode(row.session_data).get("_auth_user_id") == str(user.pk)]
"""
AGE = (
    FIND
    + """
data = decode(session.session_data)
data["vx11_prolonged_at"] -= {seconds}
session.session_data = SessionStore().encode(data)
session.expire_date -= timedelta(seconds={seconds})
session.save()
"""
)


def remaining_seconds(stack: Stack, name: str) -> float:
    code = FIND.format(name=name) + "print((session.expire_date - clock.ask()).total_seconds())"
    return float(stack.a.python(code))
