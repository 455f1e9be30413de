"""manage.py welcome: shown once, usable at once, and silent about secrets afterwards."""

import re
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from gateway.identity import principals
from gateway.models import AccessToken, TokenAudit
from gateway.scopes import DEFAULT_SCOPES

pytestmark = pytest.mark.usefixtures("ledger")


def welcome() -> str:
    out = StringIO()
    call_command("welcome", stdout=out)
    return out.getvalue()


def test_what_is_shown_on_the_first_start_can_be_used() -> None:
    shown = welcome()
    principal, service = re.findall(r"vx11[ps]_\S+", shown)
    known = principals._read(None)
    assert (known.with_token(principal).kind, known.with_token(principal).scopes) == (
        "principal",
        DEFAULT_SCOPES["principal"],
    )
    assert known.with_token(service).kind == "service"
    password = re.search(r"Password: +(\S+)", shown)
    assert password is not None
    assert User.objects.get(username="operator").check_password(password[1])
    assert TokenAudit.objects.filter(action="token_issued").count() == 2


def test_later_starts_make_nothing_and_show_how_to_make_more() -> None:
    first = welcome()
    again = welcome()
    assert (User.objects.count(), AccessToken.objects.count()) == (1, 2)
    assert not re.search(r"vx11[ps]_", again)
    assert "issue_token" in first
    assert "issue_token" in again
