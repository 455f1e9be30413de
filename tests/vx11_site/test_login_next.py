"""Where signing in leads: an address of ours that is not a way in or out again, and never an error."""

from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.gateway.admin.people import browser_of, staff
from tests.gateway.samples import create_user

pytestmark = pytest.mark.usefixtures("ledger")

CONSOLE, LOGIN, ADMIN = "/operator/", "/operator/login", "/admin/"
PASSWORD = "correct horse 42"
DEEP = LOGIN
for _ in range(6):
    DEEP = f"{LOGIN}?next={quote(DEEP, safe='')}"
# Ways in and out, however they are written.
DOORS = [
    *(LOGIN, f"{LOGIN}?", f"{LOGIN}?x=1", f"{LOGIN}#x", f"{LOGIN}?next={LOGIN}", DEEP, f"{LOGIN}?next={LOGIN}#a"),
    *("http://testserver/operator/login", f"http://testserver{DEEP}", "http://testserver/x/../operator/login"),
    *("/operator/%6cogin", "/%6fperator/login", "/operator/%6Cogin?next=/operator/%6Cogin", "/operator/./login"),
    *("/operator/x/../login", "login", "./login", "?", "?next=/operator/login", "#x", "", " ", "/operator/login "),
    *("/operator/logout", "/operator/logout?x", "/admin/login/", "/admin/logout/", "/operator/language"),
    *(f"/admin/login/?next={LOGIN}", f"/operator/language?next={LOGIN}", "/operator/%2e/login", "/admin/login"),
    *("/operator/%2E%2e/admin/login/", "/OPERATOR/LOGIN", "/Operator/login", "/operator/login/", "/operator//login"),
    *("/operator\\login", "\t/operator/login", "/operator/login\n", "/operator/%2e%2e/operator/login"),
]
# Nothing of ours, or nothing at all.
STRANGE = [
    *("//evil.example", "\\\\evil.example", "/\\evil.example", "///evil.example", "http:///evil.example", "http://["),
    *("javascript:alert(1)", "http://evil.example/operator/", "\x1b/operator/", "\ufffe", "%", "%zz", "//["),
    *("/operator/" + "a" * 3_000, "/operator/?a=" + "é" * 500, "/" * 3_000, "?" * 2_000, DEEP * 3),
    *("http://testserver:99999999/", "https://testserver/operator/", "/operator/\nSet-Cookie: a=b", "/operator/\r\n"),
    *("http://testserver:x/", "//operator/login", "/nowhere", "/admin/"),
]


def browser(user: User) -> Client:
    client = browser_of(user)
    client.raise_request_exception = False
    return client


def target(answer: Any) -> str:
    assert answer.status_code == 302, answer.status_code
    return urljoin(f"http://testserver{LOGIN}", answer["Location"])


def test_who_is_signed_in_is_not_led_to_a_way_in_or_out() -> None:
    client = browser(create_user())
    ends = {address: target(client.get(LOGIN, {"next": address})) for address in DOORS}
    assert ends == dict.fromkeys(DOORS, f"http://testserver{CONSOLE}")


@pytest.mark.parametrize("door", [LOGIN, "/admin/login/"])
def test_no_address_to_go_on_to_is_an_error_or_leads_out_or_in_a_circle(door: str) -> None:
    client, stranger = browser(staff("auditor")), Client(raise_request_exception=False)
    for address in [*DOORS, *STRANGE]:
        answer = client.get(door, {"next": address})
        for _ in range(3):
            if answer.status_code != 302:
                break
            assert urlsplit(target(answer)).netloc.partition(":")[0] == "testserver", address
            answer = client.get(target(answer))
        assert answer.status_code in {200, 400, 404}, address
        assert stranger.get(door, {"next": address}).status_code in {200, 400}, address
        assert stranger.get("/operator/language", {"next": address}).status_code in {302, 400}, address


@pytest.mark.parametrize("address", [LOGIN, DEEP, "/operator/logout", "//evil.example", "/" * 3_000, "http://["])
@pytest.mark.parametrize(("door", "within"), [(LOGIN, CONSOLE), ("/admin/login/", ADMIN)])
def test_signing_in_leads_inside_where_it_was_told_to_lead_to_a_door(door: str, within: str, address: str) -> None:
    user = staff("auditor", name="ana")
    user.set_password(PASSWORD)
    user.save()
    for place in ("body", "query"):
        fields = {"username": "ana", "password": PASSWORD, **({"next": address} if place == "body" else {})}
        answer = Client().post(f"{door}?{urlencode({'next': address})}" if place == "query" else door, fields)
        assert answer.status_code == 302
        end = answer["Location"]
        # The admin's door has no default of its own: where it was told to lead out it leads to the console.
        assert end == within or (door != LOGIN and end == CONSOLE), end
