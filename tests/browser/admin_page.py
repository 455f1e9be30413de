"""The admin as people use it: signing in, an hour of history to look at, and what the browser complained about."""

from playwright.sync_api import ConsoleMessage, Page

from tests.accounts import Account, add_account, change_account
from tests.browser.console_page import WATCH_POLICY, enter
from tests.stacks import Stack

# Runs in a process of its own, as a command would. Rows as a busy hour leaves them, the same in every run.
_HISTORY = """
import math, random, uuid
from datetime import timedelta
from django.utils import timezone
from events.models import StreamSession
from gateway.models import TokenAudit

luck, now = random.Random(4), timezone.now()
rows, streams = [], []
reasons = {"invalid_token: used": 3, "main_auth_failed: unknown": 4, "main_auth_failed: revoked": 1, "rate_limited": 2}
for minute in range(1, 60):
    at = now - timedelta(minutes=minute)
    for _ in range(round(24 + 14 * math.sin(minute / 7) + luck.uniform(0, 8))):
        ticket_id = "t-%08x" % luck.getrandbits(32)
        rows.append(TokenAudit(at=at, action="ticket_issued", principal_id="p-1", ticket_id=ticket_id))
        if luck.random() < 0.9:
            rows.append(TokenAudit(at=at, action="ticket_redeemed", principal_id="p-1"))
            ended = at + timedelta(minutes=luck.uniform(0, minute))
            streams.append(StreamSession(
                id=uuid.UUID(int=luck.getrandbits(128)), node=uuid.UUID(int=7), principal_id="p-1", cursor="k-1",
                opened_at=at, closed_at=ended, end_reason="client_closed"))
    for reason, weight in reasons.items():
        burst = 6 if 20 < minute < 26 and "unknown" in reason else 1
        count = round(luck.uniform(0, weight) * burst)
        if count:
            rows.append(TokenAudit(at=at, action="refused", reason=reason, address="192.0.2.7", count=count))
TokenAudit.objects.bulk_create(rows)
StreamSession.objects.bulk_create(streams)
"""


def add_history(stack: Stack) -> None:
    """An hour of tickets, refusals and streams."""
    stack.a.python(_HISTORY)


def add_staff(stack: Stack, *, group: str | None, superuser: bool = False, name: str | None = None) -> Account:
    """Somebody whom the admin lets in, with a role or as a superuser."""
    account = add_account(stack, group=group, name=name)
    change_account(account, f"user.is_staff = True; user.is_superuser = {superuser}; user.save()")
    return account


def sign_in(page: Page, stack: Stack, account: Account) -> None:
    """By the form."""
    page.goto(f"{stack.a.url}/admin/")
    page.get_by_label("Username").fill(account.name)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Log in").click()


def enter_admin(page: Page, stack: Stack, account: Account) -> None:
    """Opens the admin with a session, without the form."""
    enter(page.context, stack.a.url, account)
    page.goto(f"{stack.a.url}/admin/")


def watch(page: Page) -> list[str]:
    """What the browser complains about from now on: errors of scripts, and everything that the policy forbids."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.add_init_script(WATCH_POLICY)
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints
