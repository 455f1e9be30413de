"""Sessions of console users: what a cookie may do, and that rights are looked up every time."""

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest

from tests.accounts import password_and_hash
from tests.answers import assert_problem
from tests.client import API, LOOPBACK, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

SSE_TOKEN = f"{API}/events/sse-token"
STREAM = f"{API}/events/stream"
CSRF_META = re.compile(r'name="csrf-token"\s+content="([^"]+)"')


class User:
    """Somebody with an account; `run` changes the account by a line of Python in which it is called `user`."""

    def __init__(self, stack: Stack, *groups: str) -> None:
        self.stack = stack
        self.name = f"user-{secrets.token_hex(4)}"
        self.password, hashed = password_and_hash()
        make = f"User.objects.create(username={self.name!r}, password={hashed!r})"
        joins = "".join(f"; user.groups.add(Group.objects.get(name={group!r}))" for group in groups)
        # At once: a server must not come to know of the account and not of its role.
        self._shell(f"from django.db import transaction\nwith transaction.atomic(): user = {make}{joins}")
        stack.credentials.add(self.password)

    def run(self, code: str) -> None:
        self._shell(f"user = User.objects.get(username={self.name!r}); {code}")

    def _shell(self, code: str) -> None:
        self.stack.a.python(f"from django.contrib.auth.models import Group, User; {code}")

    @contextmanager
    def session(self) -> Iterator["Session"]:
        with httpx2.Client(base_url=self.stack.a.url, **LOOPBACK, timeout=10) as browser:
            form = browser.get("/operator/login")
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
            assert token, form.text
            fields = {"username": self.name, "password": self.password, "csrfmiddlewaretoken": token[1]}
            answer = browser.post(
                "/operator/login", data=fields, headers={"Referer": f"{self.stack.a.url}/operator/login"}
            )
            assert answer.status_code == 302, answer.text
            yield Session(browser, self.stack.credentials)


class Session:
    """A browser that is logged in, and the CSRF token of its page."""

    def __init__(self, browser: httpx2.Client, credentials: set[str]) -> None:
        self.browser = browser
        self._credentials = credentials
        page = CSRF_META.search(browser.get("/operator/").text)
        self.csrf_token = page[1] if page else ""

    def issue_ticket(self, *, csrf_token: str | None = None) -> httpx2.Response:
        headers = {"X-CSRFToken": self.csrf_token if csrf_token is None else csrf_token}
        answer = self.browser.post(SSE_TOKEN, json={}, headers=headers)
        if answer.status_code == 200:
            self._credentials.add(answer.json()["sse_token"])
        return answer

    def ticket(self) -> str:
        answer = self.issue_ticket()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["sse_token"])


@pytest.fixture
def viewer(stack: Stack) -> User:
    return User(stack, "viewer")


def test_a_session_gets_tickets_and_reads(stack: Stack, viewer: User, new_event: Callable[..., Json]) -> None:
    with viewer.session() as session:
        ticket = session.issue_ticket()
        assert ticket.status_code == 200
        assert ticket.headers["cache-control"] == "no-store"
        assert session.browser.get(f"{API}/events").status_code == 200
        with stack.client(None).stream(token=ticket.json()["sse_token"]) as stream:
            stream.connected()
            event_id = stack.client(stack.service_token).published(new_event())["event_id"]
            stream.next(lambda frame: frame.data.get("event_id") == event_id, "the event")


@pytest.mark.parametrize("csrf_token", ["", "wrong", "a" * 64])
def test_w03_a_session_without_its_csrf_token_gets_no_ticket(viewer: User, csrf_token: str) -> None:
    with viewer.session() as session:
        assert_problem(session.issue_ticket(csrf_token=csrf_token), 403, "csrf_failed")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_w03_a_form_of_another_site_gets_no_ticket(viewer: User, content_type: str) -> None:
    with viewer.session() as session:
        headers = {"Content-Type": content_type, "Origin": "https://evil.example"}
        assert_problem(session.browser.post(SSE_TOKEN, content=b"a=b", headers=headers), 403, "csrf_failed")


def test_a_header_beats_the_cookie_and_needs_no_csrf_token(stack: Stack, viewer: User) -> None:
    with viewer.session() as session:
        headers = {"X-VX11-Token": stack.principal_token}
        answer = session.browser.post(SSE_TOKEN, json={}, headers=headers)
        assert answer.status_code == 200
        wrong = session.browser.post(SSE_TOKEN, json={}, headers={"X-VX11-Token": "wrong" * 8})
        assert_problem(wrong, 401, "main_auth_failed", detail="invalid_token")


def test_a_cookie_never_opens_a_stream(viewer: User) -> None:
    with viewer.session() as session:
        assert_problem(session.browser.get(STREAM), 401, "missing_token")


def test_a_user_without_a_role_reads_nothing(stack: Stack) -> None:
    with User(stack).session() as session:
        assert_problem(session.browser.get(f"{API}/events"), 403, "insufficient_scope")


def test_a05_a_disabled_user_gets_nothing_and_an_older_ticket_is_worthless(stack: Stack, viewer: User) -> None:
    with viewer.session() as session:
        open_stream, unused = (session.ticket() for _ in range(2))
        with stack.client(None).stream(token=open_stream) as stream:
            stream.connected()
            viewer.run("user.is_active = False; user.save()")
            # From here on the server knows.
            stream.named("stream-end")

        assert session.browser.get(f"{API}/events").status_code == 401
        assert session.issue_ticket().status_code == 401
        assert_problem(stack.client(None).get(STREAM, params={"token": unused}), 401, "invalid_token")


ENDS = {
    "disabled": "user.is_active = False; user.save()",
    "without its role": "user.groups.clear()",
    "deleted": "user.delete()",
}


@pytest.mark.parametrize("end", ENDS)
def test_a19_a_stream_ends_when_its_user_is_no_longer_what_it_was(stack: Stack, viewer: User, end: str) -> None:
    with viewer.session() as session:
        ticket = session.ticket()
    with stack.client(None, server=stack.b).stream(token=ticket) as stream:
        stream.connected()
        viewer.run(ENDS[end])
        assert stream.named("stream-end").data["reason"] == "revoked"


def test_a19_a_stream_ends_when_its_session_is_logged_out(stack: Stack, viewer: User) -> None:
    with viewer.session() as session:
        ticket = session.ticket()
        with stack.client(None, server=stack.b).stream(token=ticket) as stream:
            stream.connected()
            answer = session.browser.post("/operator/logout", headers={"X-CSRFToken": session.csrf_token})
            assert answer.status_code in (200, 302)
            assert stream.named("stream-end").data["reason"] == "revoked"


def sign_out(session: Session, _user: User) -> None:
    answer = session.browser.post("/operator/logout", headers={"X-CSRFToken": session.csrf_token})
    assert answer.status_code in (200, 302)


def delete_row(session: Session, user: User) -> None:
    key = session.browser.cookies["vx11_session"]
    rows = "from django.contrib.sessions.models import Session; from gateway.identity.console_sessions import row_key"
    user.run(f"{rows}; assert Session.objects.filter(pk=row_key({key!r})).delete()[0] == 1")


SESSION_ENDS: dict[str, Callable[[Session, User], None]] = {
    "signed out": sign_out,
    "other password": lambda _, user: user.run("user.set_password('a quite different one'); user.save()"),
    "deactivated": lambda _, user: user.run("user.is_active = False; user.save()"),
    "row deleted": delete_row,
}


@pytest.mark.parametrize("end", SESSION_ENDS)
def test_n11_what_a_session_opened_ends_with_it(
    stack: Stack, viewer: User, new_event: Callable[..., Json], marker: str, end: str
) -> None:
    anyone = stack.client(None, server=stack.b)
    with viewer.session() as session, ThreadPoolExecutor(1) as pool:
        used, unused = session.ticket(), session.ticket()
        with anyone.stream(token=used, correlation_id=marker) as stream:
            cursor = stream.connected().cursor
            poll = pool.submit(session.browser.get, f"{API}/events", params={"since": cursor, "wait": 20}, timeout=30)
            SESSION_ENDS[end](session, viewer)
            assert stream.named("stream-end").data["reason"] == "revoked"
        # Others know of it as soon: within two seconds.
        refused = poll.result(timeout=10)
        stack.client(stack.service_token).published(new_event())
        # Of a row that was gone before the poll came, Django says that no user is signed in.
        assert (refused.status_code, marker in refused.text) == (401, False)
        assert_problem(anyone.get(STREAM, params={"token": unused}), 401, "invalid_token")


def test_n11_a_ticket_of_before_a_password_change_opens_nothing_in_the_session_that_stays(
    stack: Stack, viewer: User
) -> None:
    with viewer.session() as session:
        before = session.ticket()
        key = session.browser.cookies["vx11_session"]
        # As Django's page does for who changes his own password: the session goes on with the new one.
        viewer.run(
            "user.set_password('a quite different one'); user.save(); "
            "from gateway.identity.session_store import SessionStore; "
            f"store = SessionStore({key!r}); store['_auth_user_hash'] = user.get_session_auth_hash(); store.save()"
        )
        new = session.issue_ticket()
        anyone = stack.client(None)
        assert anyone.stream_status(token=new.json()["sse_token"]) == 200
        assert_problem(anyone.get(STREAM, params={"token": before}), 401, "invalid_token")


def test_a16_rights_are_those_of_now_not_those_of_the_cursor(
    stack: Stack, viewer: User, principal: Client, new_event: Callable[..., Json]
) -> None:
    cursor = principal.cursor()
    stack.client(stack.service_token).published(new_event())
    with viewer.session() as session:
        answer = session.browser.get(f"{API}/events", params={"since": cursor})
        assert answer.status_code == 200, answer.text
        viewer.run("user.groups.clear()")

        def refusal() -> httpx2.Response | None:
            answer = session.browser.get(f"{API}/events", params={"since": cursor})
            return answer if answer.status_code == 403 else None

        assert_problem(wait_until(refusal, "reading is refused"), 403, "insufficient_scope")
        assert_problem(session.issue_ticket(), 403, "insufficient_scope")
