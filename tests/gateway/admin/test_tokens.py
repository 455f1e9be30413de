"""The form of a token takes what the command takes, and nothing that would mean more than was typed."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway.models import AccessToken
from tests.gateway.admin.people import browser_of, staff
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")

TOKENS = "/admin/gateway/accesstoken/"
BAD_NAMES = ("not a module!", "x" * 65, "ma dr\u00e9e", "a/b", "madre\n")


def post(path: str, **fields: str) -> str:
    """The page that answers; "" if it leads on."""
    kind = fields.get("kind", "principal")
    scope = "events:read" if kind == "principal" else "events:publish"
    values = {"kind": kind, "name": "n", "scopes": [scope], "modules": "", "module": "", "user": "", **fields}
    answer = browser_of(staff("administrator")).post(TOKENS + path, values)
    return answer.content.decode()


@pytest.mark.parametrize("text", [",", " , ", "madre,", ",madre", "madre,,switch", *BAD_NAMES[:-1]])
def test_a_principals_modules_are_names_and_never_all_by_mistake(text: str) -> None:
    token, _ = issue(modules=frozenset({"madre"}))
    assert "is no module" in post(f"{token.pk}/change/", modules=text)
    token.refresh_from_db()
    assert token.modules == ["madre"]


@pytest.mark.parametrize(("text", "modules"), [("", []), ("  ", []), ("switch, madre", ["madre", "switch"])])
def test_modules_are_separated_by_commas_and_none_means_all(text: str, modules: list[str]) -> None:
    token, _ = issue(modules=frozenset({"hermes"}))
    post(f"{token.pk}/change/", modules=text)
    token.refresh_from_db()
    assert token.modules == modules


@pytest.mark.parametrize("name", BAD_NAMES[:-1])
def test_a_service_publishes_for_a_module_that_events_can_name(name: str) -> None:
    page = post("add/", kind="service", module=name)
    assert "is no module" in page or "at most 64 characters" in page
    assert not AccessToken.objects.exists()
    post("add/", kind="service", module="madre")
    assert AccessToken.objects.get().module == "madre"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_the_command_takes_no_other_names_than_the_form(name: str) -> None:
    with pytest.raises(CommandError, match="is no module"):
        call_command("issue_token", "--kind=service", "--name=n", f"--module={name}")


def test_a_new_token_has_not_expired_yet_and_an_old_one_may_be_made_to() -> None:
    past = {"expires_at_0": "2001-01-01", "expires_at_1": "00:00"}
    assert "would never be valid" in post("add/", **past)
    assert not AccessToken.objects.exists()
    tomorrow = timezone.now() + timedelta(days=1)
    post("add/", expires_at_0=f"{tomorrow:%Y-%m-%d}", expires_at_1="00:00")
    token = AccessToken.objects.get()
    assert token.state == "valid"
    post(f"{token.pk}/change/", **past)
    token.refresh_from_db()
    assert token.state == "expired"
