"""A ticket is worth what its holder's rights are at the moment at which it is brought."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from gateway import tokens
from gateway.filters import EVERYTHING
from gateway.identity import console_sessions, tickets
from gateway.identity.principals import InvalidCredential, Principal, directory
from gateway.identity.revocation import Live, revoke
from gateway.identity.tickets import Ticket
from tests.gateway.samples import create_user

pytestmark = pytest.mark.usefixtures("ledger")
KEY = "a session key"


@pytest.fixture
async def user() -> User:
    return await sync_to_async(create_user)()


@pytest.fixture
async def ticket(user: User) -> Ticket:
    """Issued to the user in a session, and kept in the store as any ticket is."""
    expires = timezone.now() + timedelta(hours=1)
    await Session.objects.acreate(session_key=console_sessions.row_key(KEY), session_data="", expire_date=expires)
    issued = tickets.new(await directory.user_in_session(user, KEY), EVERYTHING)
    assert (await issued.holder()).public_id == console_sessions.principal_id(user.pk)
    return Ticket.from_json(issued.as_json())


async def why(ticket: Ticket) -> str:
    directory.expire()
    with pytest.raises(InvalidCredential) as raised:
        await ticket.holder()
    return raised.value.why


async def test_a_ticket_stands_for_its_holder_in_its_session(ticket: Ticket, user: User) -> None:
    holder: Principal = await ticket.holder()
    assert (holder.public_id, holder.session_id) == (f"u-{user.pk}", console_sessions.session_id(KEY))


async def test_a_ticket_that_was_revoked_has_no_holder(ticket: Ticket) -> None:
    @sync_to_async
    def revoke_it(ticket_id: str) -> None:
        list(revoke([Live(ticket_id, ticket.principal_id, "user")], because="test"))

    await revoke_it("t-another")
    directory.expire()
    assert await ticket.holder()
    await revoke_it(ticket.public_id)
    assert await why(ticket) == "ticket revoked"


async def test_a_ticket_of_before_a_password_change_has_no_holder(ticket: Ticket, user: User) -> None:
    user.password = "another"
    await sync_to_async(user.save)()
    assert await why(ticket) == "password changed"


async def test_a_ticket_of_a_session_that_was_signed_out_of_has_no_holder(ticket: Ticket) -> None:
    await sync_to_async(console_sessions.end)(KEY)
    assert await why(ticket) == "signed out"


async def test_a_ticket_of_a_session_that_was_deleted_has_no_holder(ticket: Ticket) -> None:
    await Session.objects.all().adelete()
    assert await why(ticket) == "session over"


# By its text


async def refused(text: str) -> tuple[str, str, str]:
    directory.expire()
    with pytest.raises(tickets.InvalidTicket) as raised:
        await tickets.find_valid(text)
    return raised.value.why, raised.value.ticket_id, raised.value.public_id


async def test_a_ticket_is_found_with_its_holder_and_not_used_up(ticket: Ticket) -> None:
    text = tokens.mint_ticket()
    await tickets.store(text, ticket, address="192.0.2.1")
    for _ in range(2):
        assert await tickets.find_valid(text) == (ticket, await ticket.holder())


async def test_a_text_that_opens_nothing_is_refused_with_all_that_is_known_of_it(ticket: Ticket) -> None:
    assert await refused(tokens.mint_ticket()) == ("unknown or expired", "", "")
    text = tokens.mint_ticket()
    await tickets.store(text, ticket, address="192.0.2.1")
    await sync_to_async(console_sessions.end)(KEY)
    assert await refused(text) == ("signed out", ticket.public_id, ticket.principal_id)
    assert await tickets.use(text, ticket)
    assert await refused(text) == (tickets.USED_BEFORE, ticket.public_id, "")
