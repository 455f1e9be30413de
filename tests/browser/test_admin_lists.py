"""The admin's lists and pages: whole at 1280, one form of times, words that fit one, a token that can be copied."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Page, expect

from tests.accounts import Account
from tests.browser.admin_page import enter_admin
from tests.client import Client
from tests.stack.operators import window
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
LISTS = (
    *("gateway/accesstoken", "gateway/tokenaudit", "events/streamsession/?state=all", "events/event", "events/node"),
    *("operator_api/window", "operator_api/chatmessage", "operator_api/module", "operator_api/savedview", "auth/user"),
)
# One long row in each list.
_LONG_ROWS = """
import uuid
from django.utils import timezone
from gateway.models import AccessToken, TokenAudit
from operator_api.models import ChatMessage, Module, SavedView, Window
now = timezone.now()
Window.objects.filter(opened_by="a person with a name").exists() or Window.objects.create(
    opened_by="a person with a name", closed_by="another person with a name", reason="for the reason that it is needed",
    created_at=now, deadline=now, closed_at=now, ending="closed")
ChatMessage.objects.create(principal_id="u-12345678", principal_name="a person with a name",
    session_id="console-of-a-person", role="assistant", content="-", correlation_id=str(uuid.uuid4()), created_at=now)
Module.objects.update_or_create(name="a-module-with-a-long-name", defaults={
    "probe_url": "http://a-module-with-a-long-name.internal.example.org:8080/health", "last_seen": now,
    "probed_at": now, "probe_problem": "connection refused by a-module-with-a-long-name"})
SavedView.objects.get_or_create(owner_id="u-12345678", name="all that a person asks for", defaults={
    "owner_name": "a person with a name", "query": "severity>=error module:(gateway,spawner) payload.http.status>=500",
    "shared": True, "created_at": now, "updated_at": now})
AccessToken.issue("principal", "a token with quite a long name for its use", scopes=frozenset())
TokenAudit.objects.create(action="stream_disconnected", reason="disconnected_by_admin and more words",
    actor="a person with a name", principal_id="p-12345678", principal_name="a token with quite a long name",
    address="2001:0db8:85a3:0000:0000:8a2e:0370:7334", ticket_id="t-12345678")
"""


@pytest.fixture
def admin(page: Page, stack: Stack, administrator: Account) -> Page:
    enter_admin(page, stack, administrator)
    return page


@pytest.fixture(scope="module")
def long_rows(shared_stack: Stack) -> None:
    shared_stack.a.python(_LONG_ROWS)


@pytest.mark.parametrize("address", LISTS)
def test_a_list_is_whole_at_1280_and_its_times_have_one_form(
    admin: Page, stack: Stack, service: Client, new_event: NewEvent, history: None, long_rows: None, address: str
) -> None:
    service.published(new_event(module="tentaculo_link", event_type="a.type.with.many.words", summary="words " * 80))
    admin.goto(f"{stack.a.url}/admin/{address}" + ("" if "?" in address else "/"))
    expect(admin.locator("#result_list")).to_be_visible()
    room = "({ scrollWidth, clientWidth }) => scrollWidth - clientWidth"
    assert admin.locator("#changelist .results").evaluate(room) <= 0
    box = admin.locator("#result_list").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 1280
    text = admin.locator("#result_list").inner_text()
    assert not re.search(r"(?:a|p)\.m\.|\b(?:Jan|Feb|March|April|May|June|July|Aug|Sept|Oct|Nov|Dec)\b\.? \d", text)


def test_times_on_a_page_have_the_form_of_the_lists(admin: Page, stack: Stack, principal: Client) -> None:
    with window(principal) as opened:
        admin.goto(f"{stack.a.url}/admin/operator_api/window/{opened['window_id']}/change/")
        shown = admin.locator(".field-created_at .readonly").inner_text()
        assert shown == opened["created_at"][:19].replace("T", " ")


def test_a_new_token_can_be_copied(admin: Page, stack: Stack) -> None:
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.goto(f"{stack.a.url}/admin/gateway/accesstoken/add/")
    admin.get_by_label("Kind").select_option("principal")
    admin.get_by_label("Name").fill("to be copied")
    admin.get_by_label("events:read").check()
    admin.get_by_role("button", name="Save", exact=True).click()
    admin.get_by_role("button", name="Copy", exact=True).click()
    expect(admin.get_by_role("status")).to_have_text("Copied.")
    text = admin.get_by_label("Token", exact=True).input_value()
    assert admin.evaluate("navigator.clipboard.readText()") == text


def test_one_token_is_revoked_in_the_singular(admin: Page, stack: Stack) -> None:
    _, public_id = stack.issue_token("principal")
    admin.goto(f"{stack.a.url}/admin/gateway/accesstoken/?q={public_id}")
    admin.locator("#action-toggle").check()
    admin.locator("select[name=action]").select_option("revoke")
    admin.get_by_role("button", name=re.compile("Run|Go")).click()
    expect(admin.get_by_text("1 token is revoked; its streams end within two seconds.")).to_be_visible()
