"""A day in the life of an installation, with every credential there is: use, misuse, refusals, errors, pages."""

import dataclasses
import re
import secrets
from typing import Any

import httpx2

from events.stream.consumer import STREAM_PATHS
from tests.client import API, LOOPBACK
from tests.security.addresses import addresses
from tests.security.bugs import ticket_of_bug, token_of_bug
from tests.security.nginx import PrivateNginx
from tests.stacks import Stack

SSE_TOKEN = f"{API}/events/sse-token"
STREAM = f"{API}/events/stream"
EVENTS = f"{API}/events"
FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
META_TOKEN = re.compile(r'name="csrf-token"\s+content="([^"]+)"')
ISSUED_TEXT = re.compile(r"vx11p_[A-Za-z0-9_-]{43}")
ADD_ADMINISTRATOR = (
    "from django.contrib.auth.models import User; "
    "User.objects.create_superuser({name!r}, email={email!r}, password={password!r})"
)
# The others go into the query everywhere: each of both ways with both sources and both kinds of token.
IN_HEADERS_EVERYWHERE = ("principal token", "issued service token")

Answer = httpx2.Response


@dataclasses.dataclass
class Day:
    """What was used, by kind, and what was answered. Answers that are meant to hold a secret are not kept."""

    stack: Stack
    nginx: PrivateNginx
    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    email: str = ""
    tickets: list[str] = dataclasses.field(default_factory=list)
    answers: dict[str, bytes] = dataclasses.field(default_factory=dict)
    statuses: set[int] = dataclasses.field(default_factory=set)

    def ask(self, client: httpx2.Client, method: str, path: str, *, keep: bool = True, **kind: Any) -> Answer:
        answer = client.request(method, path, **kind)
        self.statuses.add(answer.status_code)
        if keep:
            head = "\n".join(f"{name}: {value}" for name, value in answer.headers.multi_items())
            self.answers[f"answer {len(self.answers)} to {method} {path}"] = head.encode() + answer.content
        return answer

    def client(self, url: str, **headers: str) -> httpx2.Client:
        return httpx2.Client(base_url=url, **LOOPBACK, timeout=20, headers=headers)

    def ticket(self, client: httpx2.Client, **kind: Any) -> str:
        answer = self.ask(client, "POST", SSE_TOKEN, keep=False, json={}, **kind)
        assert answer.status_code == 200, answer.text
        self.tickets.append(answer.json()["sse_token"])
        return self.tickets[-1]


def live(stack: Stack, nginx: PrivateNginx) -> Day:
    """All of it, in a few seconds."""
    day = Day(stack, nginx)
    issued = {f"issued {kind} token": stack.issue_token(kind, name="canary")[0] for kind in ("principal", "service")}
    day.secrets |= {"principal token": stack.principal_token, "service token": stack.service_token, **issued}
    use_tokens(day)
    use_tickets(day)
    use_session(day)
    meet_a_bug(day)
    day.secrets |= {f"ticket {number}": ticket for number, ticket in enumerate(day.tickets)}
    return day


def use_tokens(day: Day) -> None:
    """In both headers, at every address; where they do not belong; together; cut short."""
    for kind, token in list(day.secrets.items()):
        with day.client(day.stack.a.url) as client:
            for path in addresses():
                if kind in IN_HEADERS_EVERYWHERE:
                    day.ask(client, method_for(path), path, headers={"X-VX11-Token": token})
                else:
                    day.ask(client, "GET", path, params={"token": token})
            day.ask(client, "GET", EVENTS, params={"access%5ftoken": token})
            misplace(day, client, token)
            day.ask(client, "GET", EVENTS, headers={"X-Correlation-Id": token})
        for url in (day.stack.b.url, day.nginx.url):
            with day.client(url, Authorization=f"Bearer {token}") as client:
                use_token(day, client, token)


def method_for(path: str) -> str:
    """GET, but for what does not end."""
    return "HEAD" if path in STREAM_PATHS else "GET"


def use_token(day: Day, client: httpx2.Client, token: str) -> None:
    event = {"event_type": "canary", "summary": "a bird"}
    day.ask(client, "POST", SSE_TOKEN, keep=False, json={"modules": ["switch"]})
    day.ask(client, "POST", EVENTS, json=event)
    day.ask(client, "POST", EVENTS, json={**event, "severity": "loud"})
    day.ask(client, "POST", EVENTS, content=b"{" + token.encode())
    day.ask(client, "POST", EVENTS, content=token.encode(), headers={"Content-Type": "text/plain"})
    day.ask(client, "PUT", EVENTS, json={"token": token})
    day.ask(client, "GET", EVENTS, headers={"X-VX11-Token": token[:-1]})
    day.ask(client, "GET", EVENTS, params={"since": "no-cursor-at-all!"})
    day.ask(client, "GET", EVENTS, params={"authorization": f"Bearer {token}"})
    day.ask(client, "GET", STREAM, params={"token": token})
    day.ask(client, "GET", f"{API}/nowhere", params={"token": token})
    # By a slip of the hand: under a name that nobody could foresee.
    day.ask(client, "GET", EVENTS, params={"tokn": token})


def misplace(day: Day, client: httpx2.Client, secret: str) -> None:
    """In a path, as a bare query, encoded twice. Straight to a server: a usual nginx logs paths."""
    for text in (secret, "".join(f"%25{byte:02x}" for byte in secret.encode())):
        day.ask(client, "GET", f"{API}/{text}")
        day.ask(client, "GET", f"{EVENTS}?{text}")


def use_tickets(day: Day) -> None:
    """Opened, used again, refused in every way, and where a ticket does not belong."""
    for url in (day.stack.a.url, day.stack.b.url, day.nginx.url):
        with day.client(url) as client:
            ticket = day.ticket(client, headers={"X-VX11-Token": day.stack.principal_token})
            for headers in ({"Accept": "text/html"}, {"Sec-Purpose": "prefetch"}, {"Sec-Fetch-Site": "cross-site"}):
                day.ask(client, "GET", STREAM, params={"token": ticket}, headers=headers)
            day.ask(client, "GET", STREAM, params={"token": ticket, "last_event_id": "'; drop"})
            day.ask(client, "GET", f"{STREAM}?token={ticket}&token={ticket}")
            day.ask(client, "HEAD", STREAM, params={"token": ticket})
            day.ask(client, "GET", STREAM, params={"token": ticket, "follow": "false"})
            day.ask(client, "GET", STREAM, params={"token": ticket})
            day.ask(client, "GET", EVENTS, params={"token": ticket})
            day.ask(client, "GET", EVENTS, headers={"X-VX11-Token": ticket})
            # And one that is not used.
            unused = day.ticket(client, headers={"X-VX11-Token": day.stack.principal_token})
            if url != day.nginx.url:
                misplace(day, client, unused)


def use_session(day: Day) -> None:
    """An administrator: signs in wrongly and rightly, looks at every page, issues a token."""
    name, password = f"canary-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    day.email = f"{name}@example.org"
    day.stack.a.python(ADD_ADMINISTRATOR.format(name=name, email=day.email, password=password))
    day.secrets["password"] = password
    with day.client(day.nginx.url) as client:
        for typed in (f"{password}?", password):
            form = FORM_TOKEN.search(day.ask(client, "GET", "/operator/login").text)
            assert form
            fields = {"username": name, "password": typed, "csrfmiddlewaretoken": form[1]}
            # Its answer sets the session's cookie.
            entered = day.ask(client, "POST", "/operator/login", keep=False, data=fields, headers=referer(client))
        assert entered.status_code == 302, entered.text
        day.secrets["session key"] = client.cookies["vx11_session"]
        for path in addresses():
            day.ask(client, method_for(path), path)
        page = META_TOKEN.search(day.ask(client, "GET", "/operator/").text)
        assert page
        ticket = day.ticket(client, headers={"X-CSRFToken": page[1]})
        day.ask(client, "GET", STREAM, params={"token": ticket, "follow": "false"})
        day.ask(client, "POST", SSE_TOKEN, json={})
        issue_in_admin(day, client)


def issue_in_admin(day: Day, client: httpx2.Client) -> None:
    address = "/admin/gateway/accesstoken/add/"
    form = FORM_TOKEN.search(day.ask(client, "GET", address).text)
    assert form
    fields = {"kind": "principal", "name": "canary", "scopes": ["events:read"], "csrfmiddlewaretoken": form[1]}
    shown = ISSUED_TEXT.search(day.ask(client, "POST", address, keep=False, data=fields, headers=referer(client)).text)
    assert shown, "the admin shows the new token"
    day.secrets["token issued in the admin"] = shown[0]
    for path in ("/admin/", "/admin/gateway/accesstoken/", "/admin/gateway/tokenaudit/", address):
        day.ask(client, "GET", path)


def referer(client: httpx2.Client) -> dict[str, str]:
    return {"Referer": f"{client.base_url}/operator/login"}


def meet_a_bug(day: Day) -> None:
    """Something breaks while a credential is looked at: 500, with a traceback in the log."""
    day.secrets["token that met a bug"] = token = token_of_bug()
    day.tickets.append(ticket_of_bug())
    with day.client(day.nginx.url) as client:
        failed = [
            day.ask(client, "GET", EVENTS, headers={"X-VX11-Token": token}),
            day.ask(client, "POST", SSE_TOKEN, headers={"Authorization": f"Bearer {token}"}),
            day.ask(client, "GET", STREAM, params={"token": day.tickets[-1]}),
        ]
    assert [answer.status_code for answer in failed] == [500, 500, 500]
