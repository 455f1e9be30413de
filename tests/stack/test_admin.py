"""The admin of a running installation, by HTTP as a browser speaks it, with every server of the stack."""

import functools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.accounts import Account, add_account, change_account
from tests.client import LOOPBACK, Client
from tests.conftest import OwnStack
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.waiting import wait_until

STREAMS = "/admin/events/streamsession/"
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@pytest.fixture(scope="module")
def administrator(shared_stack: Stack) -> Account:
    account = add_account(shared_stack, group="administrator")
    change_account(account, "user.is_staff = True; user.save()")
    return account


class Admin:
    """A browser without scripts: cookies, forms, and the token that forms carry."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def sign_in(self, account: Account) -> httpx2.Response:
        return self.submit("/admin/login/", username=account.name, password=account.password, next="/admin/")

    def get(self, path: str) -> httpx2.Response:
        return self.client.get(path)

    def submit(self, path: str, *, form_at: str = "", **fields: str | list[str]) -> httpx2.Response:
        found = CSRF.search(self.get(form_at or path).text)
        assert found, f"no form at {form_at or path}"
        headers = {"Origin": str(self.client.base_url).rstrip("/")}
        return self.client.post(path, data={**fields, "csrfmiddlewaretoken": found[1]}, headers=headers)


@contextmanager
def browser(server: RunningServer) -> Iterator[Admin]:
    with httpx2.Client(base_url=server.url, **LOOPBACK, timeout=20) as client:
        yield Admin(client)


@pytest.fixture
def admin(stack: Stack, administrator: Account) -> Iterator[Admin]:
    with browser(stack.a) as admin:
        assert admin.sign_in(administrator).status_code == 302
        yield admin


def audit_rows(stack: Stack, **wanted: str) -> list[dict[str, str]]:
    fields = "action actor ticket_id principal_id stream_id reason"
    lines = [
        "import json",
        "from gateway.models import TokenAudit",
        f"rows = TokenAudit.objects.filter(**{wanted!r}).order_by('at').values(*{fields.split()!r})",
        "print(json.dumps(list(rows)))",
    ]
    rows: list[dict[str, str]] = json.loads(stack.a.python("\n".join(lines)))
    return rows


def test_a_stream_that_is_disconnected_ends_within_two_seconds_and_says_why(
    stack: Stack, admin: Admin, administrator: Account
) -> None:
    # Read at one server, disconnected at the other if there are two.
    reader = stack.client(stack.principal_token, server=stack.b)
    ticket = reader.ticket()
    with reader.stream(token=ticket) as stream:
        stream_id = stream.connected().data["stream_id"]
        address = f"{STREAMS}{stream_id}/change/"
        wait_until(lambda: "Disconnect" in admin.get(address).text, "the stream is listed as open")
        chosen = {"action": "disconnect", "index": "0", "_selected_action": stream_id}
        asked = admin.submit(STREAMS, form_at=address, **chosen)
        assert "comes back by itself" in asked.text
        assert admin.submit(STREAMS, form_at=address, confirmed="yes", **chosen).status_code == 302
        assert stream.named("stream-end", timeout_seconds=5).data["reason"] == "disconnected_by_admin"
    (row,) = audit_rows(stack, action="stream_disconnected", stream_id=stream_id)
    assert row["actor"] == administrator.name
    # The token is as valid as before: its holder comes back.
    assert reader.issue_ticket().status_code == 200


@pytest.mark.once
def test_n02_a_pattern_in_an_address_is_refused_and_the_server_answers_and_ends_as_ever(own_stack: OwnStack) -> None:
    stack = own_stack()
    account = add_account(stack, group="auditor")
    change_account(account, "user.is_staff = True; user.save()")
    stack.client(stack.service_token).published({"event_type": "a", "summary": "a" * 40 + "!"})
    with browser(stack.a) as admin:
        assert admin.sign_in(account).status_code == 302
        for look_up in ("summary__regex=(a%2B)%2B$", "summary__iregex=(a%2B)%2B$", "created_at__year=99999"):
            assert admin.get(f"/admin/events/event/?{look_up}").status_code == 400
        assert admin.get("/admin/events/event/?q=aaa").status_code == 200
    assert stack.a.stop() == 0


def test_an_id_that_no_page_gave_out_is_a_bad_request(admin: Admin) -> None:
    chosen = {"action": "disconnect", "index": "0", "_selected_action": "zz"}
    assert admin.submit(STREAMS, form_at="/admin/", **chosen).status_code == 400


def test_a_real_tickets_life_is_one_page_from_issue_to_the_end_of_its_stream(
    stack: Stack, admin: Admin, principal: Client
) -> None:
    ticket = principal.ticket(modules=["madre"])
    with principal.stream(token=ticket) as stream:
        stream_id = stream.connected().data["stream_id"]
    assert principal.stream_status(token=ticket) == 401

    def page() -> str:
        listed = admin.get(f"/admin/gateway/tokenaudit/?q={stream_id}").text
        found = re.search(r'href="(/admin/tickets/t-[0-9a-f]+)"', listed)
        text = admin.get(found[1]).text if found else ""
        return text if "Stream ended" in text and "Refused" in text else ""

    text = wait_until(page, "the life is told to its end")
    titles = re.findall(r"<h2>([^<]+)</h2>", text)
    assert titles[:3] == ["Ticket issued", "Ticket used", "Stream opened"]
    assert set(titles[3:]) == {"Stream ended", "Refused"}
    # Of the ticket when it was bought, and of the stream that it opened.
    assert text.count("modules: madre") == 2
    assert "client_closed" in text
    assert ticket not in text


def counts_a_stream(admin: Admin) -> bool:
    answer = admin.get("/admin/figures")
    assert answer.status_code == 200, answer.text
    figures = answer.json()["figures"]
    return bool(figures["streams"] >= 1 and figures["principals"] >= 1)


def is_refused(client: Client) -> bool:
    return client.poll().status_code == 401


def test_the_figures_of_every_server_count_the_streams_of_all(
    stack: Stack, administrator: Account, principal: Client
) -> None:
    for server in stack.servers:
        with browser(server) as admin, principal.stream() as stream:
            stream.connected()
            admin.sign_in(administrator)

            wait_until(functools.partial(counts_a_stream, admin), "the stream is counted")


@pytest.mark.parametrize("way", ["command", "page", "deletion"])
def test_a20_a_revocation_is_one_row_and_the_token_is_refused_everywhere(stack: Stack, admin: Admin, way: str) -> None:
    text, public_id = stack.issue_token("principal", scopes=("events:read",))
    listed = admin.get(f"/admin/gateway/accesstoken/?q={public_id}").text
    found = re.search(r'href="(/admin/gateway/accesstoken/(\d+)/change/)', listed)
    assert found
    if way == "command":
        stack.revoke_token(public_id)
    elif way == "page":
        chosen = {"action": "revoke", "index": "0", "_selected_action": found[2]}
        assert admin.submit("/admin/gateway/accesstoken/", form_at=found[1], **chosen).status_code == 302
    else:
        assert admin.submit(f"/admin/gateway/accesstoken/{found[2]}/delete/", post="yes").status_code == 302
    for server in stack.servers:
        client = stack.client(text, server=server)
        wait_until(functools.partial(is_refused, client), "the token is refused", pause_seconds=0.2)
    rows = audit_rows(stack, principal_id=public_id, action__in=["token_revoked", "token_deleted"])  # type: ignore[arg-type]  # a list where a look-up takes one
    assert len(rows) == 1
    assert rows[0]["actor"]


def test_w09_the_page_with_the_new_token_is_kept_by_nobody_and_never_shown_again(stack: Stack, admin: Admin) -> None:
    answer = admin.submit(
        "/admin/gateway/accesstoken/add/", kind="principal", name="shown once", scopes=["events:read"]
    )
    (text,) = re.findall(r"vx11p_[A-Za-z0-9_-]+", answer.text)
    stack.credentials.add(text)
    assert "no-store" in answer.headers["Cache-Control"]
    found = re.search(r"p-[0-9a-f]{10}", answer.text)
    assert found
    listed = admin.get(f"/admin/gateway/accesstoken/?q={found[0]}").text
    change = re.search(r'href="(/admin/gateway/accesstoken/\d+/change/)', listed)
    assert change
    history = change[1].replace("/change/", "/history/")
    for path in (change[1], history, f"/admin/principals/{found[0]}", "/admin/gateway/accesstoken/add/", "/admin/"):
        again = admin.get(path)
        assert again.status_code == 200
        assert text not in again.text


def test_w09_what_is_typed_wrongly_at_the_door_is_in_no_log_and_no_row(stack: Stack) -> None:
    secret = "my other password 77"
    stack.credentials.add(secret)
    with browser(stack.a) as admin:
        admin.sign_in(Account(secret, "wrong"))
    assert audit_rows(stack, principal_name=secret) == []
    assert audit_rows(stack, action="sign_in_failed")


def test_roles_are_granted_on_a_new_database(stack: Stack) -> None:
    lines = [
        "import json",
        "from django.contrib.auth.models import Group",
        "print(json.dumps({g.name: sorted(p.codename for p in g.permissions.all()) for g in Group.objects.all()}))",
    ]
    roles = json.loads(stack.a.python("\n".join(lines)))
    assert roles["viewer"] == []
    assert "disconnect_stream" in roles["administrator"]
    assert "disconnect_stream" not in roles["auditor"]
