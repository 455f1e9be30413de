"""manage.py revoke_tickets on an installation that serves."""

import hashlib
import json

from tests.client import Client
from tests.conftest import OwnStack
from tests.stacks import Stack
from tests.waiting import wait_until

# How soon every process knows.
KNOWN_SECONDS = 3


def is_valid(client: Client, ticket: str) -> bool:
    """HEAD uses nothing up."""
    status = client.stream_status(method="HEAD", token=ticket)
    assert status in (200, 401)
    return status == 200


def wait_until_invalid(stack: Stack, ticket: str) -> None:
    for server in stack.servers:
        client = stack.client(None, server=server)
        wait_until(lambda client=client: not is_valid(client, ticket), "revoked", timeout_seconds=KNOWN_SECONDS)  # type: ignore[misc]


def audited(stack: Stack, action: str) -> list[dict[str, str]]:
    """Who did what to which ticket."""
    code = f"""
import json
from gateway.models import TokenAudit
rows = TokenAudit.objects.filter(action={action!r}).order_by("at")
print(json.dumps(list(rows.values("ticket_id", "principal_id", "actor", "reason"))))
"""
    rows: list[dict[str, str]] = json.loads(stack.a.python(code))
    return rows


def test_all_tickets_are_revoked_everywhere_and_open_streams_stay(own_stack: OwnStack) -> None:
    stack = own_stack()
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with stack.client(None).stream(token=reader.ticket()) as stream:
        stream.connected()
        tickets = [reader.ticket() for _ in range(3)]
        assert is_valid(stack.client(None), tickets[0])

        said = stack.a.manage("revoke_tickets", "--all", "--yes", "--reason", "drill")

        assert said.startswith("3 tickets are revoked.")
        assert ("3 of them were taken out of Redis" in said) == (stack.size == "scaled")
        for ticket in tickets:
            wait_until_invalid(stack, ticket)
        rows = audited(stack, "ticket_revoked")
        assert {row["ticket_id"] for row in rows} < {row["ticket_id"] for row in audited(stack, "ticket_issued")}
        assert {(row["actor"], row["reason"]) for row in rows} == {("manage.py revoke_tickets", "drill")}
        assert len(rows) == 3
        # What is open stays open, and its holder gets another ticket for the next time.
        service.published({"event_type": "a", "summary": "after the revocation"})
        assert stream.event()["summary"] == "after the revocation"
        assert stack.client(None, server=stack.b).stream_status(token=reader.ticket()) == 200
    assert stack.a.manage("revoke_tickets", "--all", "--yes").startswith("0 tickets are revoked.")


def test_only_the_tickets_that_are_named_are_revoked(own_stack: OwnStack) -> None:
    stack = own_stack()
    token, public_id = stack.issue_token("principal")
    theirs, ours = stack.client(token), stack.client(stack.principal_token)
    ticket_of_theirs, ticket_of_ours = theirs.ticket(), ours.ticket()
    stack.a.manage("revoke_tickets", "--principal", public_id, "--yes")
    wait_until_invalid(stack, ticket_of_theirs)
    assert is_valid(stack.client(None), ticket_of_ours)

    named = [row["ticket_id"] for row in audited(stack, "ticket_issued") if row["principal_id"] != public_id]
    stack.a.manage("revoke_tickets", "--ticket", named[-1], "--yes")
    wait_until_invalid(stack, ticket_of_ours)


def test_nothing_is_revoked_without_a_yes(own_stack: OwnStack) -> None:
    stack = own_stack()
    ticket = stack.client(stack.principal_token).ticket()
    for answer in ("", "n\n"):
        done = stack.a.run_manage("revoke_tickets", "--all", stdin=answer)
        assert done.returncode != 0
        assert "This revokes 1 tickets" in done.stdout
        assert "Nothing was revoked" in done.stderr
    assert is_valid(stack.client(None), ticket)
    assert "1 tickets are revoked" in stack.a.run_manage("revoke_tickets", "--all", stdin="y\n").stdout
    wait_until_invalid(stack, ticket)


def test_tickets_are_revoked_while_redis_is_away(own_stack: OwnStack) -> None:
    stack = own_stack()
    if stack.size == "embedded":
        return
    ticket = stack.client(stack.principal_token).ticket()
    with stack.redis.hung():
        done = stack.a.run_manage("revoke_tickets", "--all", "--yes")
    assert done.returncode == 0
    assert "Redis does not answer" in done.stderr
    wait_until_invalid(stack, ticket)


def test_a_used_ticket_whose_use_redis_has_forgotten_is_revoked_with_the_others(own_stack: OwnStack) -> None:
    """As after a failover to a replica that had not heard of the use yet."""
    stack = own_stack()
    if stack.size == "embedded":
        return
    ticket = stack.client(stack.principal_token).ticket()
    key = f"vx11:sse_token:{hashlib.sha256(ticket.encode()).hexdigest()}"
    held, anybody = stack.redis.ask("GET", key), stack.client(None)
    assert anybody.stream_status(token=ticket) == 200
    wait_until(lambda: len(audited(stack, "ticket_redeemed")) == 1, "the use is on record")
    assert not is_valid(anybody, ticket)
    stack.redis.ask("SET", key, held, "EX", 60)
    assert is_valid(anybody, ticket)

    said = stack.a.manage("revoke_tickets", "--all", "--yes")

    wait_until_invalid(stack, ticket)
    # It was used: the audit does not say that somebody took it from its holder.
    assert said.startswith("0 tickets are revoked.")
    assert audited(stack, "ticket_revoked") == []


def test_a_ticket_that_may_be_used_again_is_revoked_also_after_its_use(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_SSE_TOKEN_SINGLE_USE="false")
    ticket, anybody = stack.client(stack.principal_token).ticket(), stack.client(None)
    assert anybody.stream_status(token=ticket) == 200
    wait_until(lambda: len(audited(stack, "ticket_redeemed")) == 1, "the use is on record")
    assert stack.a.manage("revoke_tickets", "--all", "--yes").startswith("1 tickets are revoked.")
    wait_until_invalid(stack, ticket)
    assert len(audited(stack, "ticket_revoked")) == 1
