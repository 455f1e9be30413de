"""Who may open a stream: everything that can be refused is refused before a ticket is used up."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from events.log.cursors import Cursor
from events.stream import admission
from events.stream.admission import authorise, use_up
from events.stream.stream_request import read_request
from gateway import tokens
from gateway.filters import EVERYTHING, BadFilter, Selection
from gateway.http.authentication import Caller
from gateway.http.errors import ApiError
from gateway.identity import tickets
from gateway.identity.principals import directory
from gateway.models import AccessToken, TokenAudit
from ledger.writer import writer
from tests.events.waiting import until
from tests.gateway.samples import issue
from tests.gateway.shared_store.redis_store import using
from tests.stores import PrivateRedis

CALLER = Caller("192.0.2.1", "c-1")
MADRE = Selection(modules=frozenset({"madre"}))
TICKET = "550e8400-e29b-41d4-a716-446655440000"


def scope(query: str = "", *, method: str = "GET", **headers: str) -> dict[str, Any]:
    fields = {"host": "testserver", **{name.replace("_", "-"): value for name, value in headers.items()}}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
    return {"method": method, "path": "/x", "query_string": query.encode(), "headers": encoded}


def refused(query: str = "", **headers: str) -> str:
    with pytest.raises(ApiError) as raised:
        read_request(scope(query, **headers))
    return raised.value.reason


# What can be said without knowing the caller


def test_a_plain_request_reads_on_from_now() -> None:
    request = read_request(scope())
    assert (request.ticket, request.cursor, request.follow, request.asked) == ("", None, True, EVERYTHING)


def test_everything_that_can_be_asked_for_is_read() -> None:
    query = f"token={TICKET}&last_event_id=k7f3-9&follow=false&severity=warning&severity=error&module=a,b&event_type=t"
    request = read_request(scope(query + "&correlation_id=c-1&unknown=x"))
    assert (request.ticket, request.cursor, request.follow) == (TICKET, Cursor("k7f3", 9), False)
    assert request.asked == Selection(
        frozenset({"warn", "error"}), frozenset({"a", "b"}), frozenset({"t"}), frozenset({"c-1"})
    )


def test_the_header_of_a_browser_that_comes_back_beats_the_query() -> None:
    assert read_request(scope("last_event_id=k7f3-1", last_event_id="k7f3-9")).cursor == Cursor("k7f3", 9)
    assert read_request(scope("last_event_id=k7f3-1", last_event_id="")).cursor == Cursor("k7f3", 1)


@pytest.mark.parametrize("name", ["lastEventId", "lastEventID", "last-event-id"])
def test_the_names_by_which_libraries_send_a_cursor_are_read(name: str) -> None:
    assert read_request(scope(f"{name}=k7f3-9")).cursor == Cursor("k7f3", 9)
    # A library adds its own to the address that a page gave it, where the cursor of the beginning still stands.
    assert read_request(scope(f"last_event_id=k7f3-1&{name}=k7f3-9")).cursor == Cursor("k7f3", 9)
    assert read_request(scope(f"last_event_id=k7f3-1&{name}=")).cursor == Cursor("k7f3", 1)
    assert read_request(scope(f"{name}=k7f3-1", last_event_id="k7f3-9")).cursor == Cursor("k7f3", 9)
    assert refused(f"{name}=garbage!") == "bad_cursor"


@pytest.mark.parametrize("name", ["Last-Event-ID", "LASTEVENTID", "lasteventid", "event_id", "evt.last_event.id"])
def test_a_cursor_by_a_name_that_is_not_read_is_refused_and_the_right_one_named(name: str) -> None:
    with pytest.raises(BadFilter) as raised:
        read_request(scope(f"{name}=k7f3-9"))
    assert "last_event_id" in raised.value.errors[name][0]


def test_two_different_cursors_by_other_names_are_refused() -> None:
    assert refused("lastEventId=k7f3-1&last-event-id=k7f3-2") == "duplicate_parameter"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_not_allowed(method: str) -> None:
    assert refused(method=method) == "method_not_allowed"


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "*/*", "text/*", "text/html, */*;q=0.1", "TEXT/Event-Stream;x=y", ""]
)
def test_an_accept_that_admits_the_stream(accept: str) -> None:
    assert read_request(scope(accept=accept))


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json", "text/event-stream;q=0", "text/event-stream; q=0.0"]
)
def test_an_accept_that_does_not(accept: str) -> None:
    assert refused(accept=accept) == "not_acceptable"


@pytest.mark.parametrize("host", ["evil.example.org", "", "testserver, evil.example.org", "test server"])
def test_only_our_host_names_are_served(host: str) -> None:
    assert refused(host=host) == "bad_request"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"},
        {"sec_fetch_site": "cross-site", "origin": "https://evil.example.org"},
        {"sec_fetch_site": "cross-site", "origin": "null"},
        {"sec_purpose": "prefetch"},
    ],
)
def test_w01_pages_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    assert refused(**headers) == "cross_site"


NAVIGATIONS = [
    {"sec_fetch_mode": "navigate"},
    {"sec_fetch_mode": "nested-navigate"},
    {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document", "sec_fetch_user": "?1"},
    {"sec_fetch_mode": "websocket"},
    {"sec_fetch_mode": ""},
    {"sec_fetch_mode": "Cors"},
    {"sec_fetch_user": "?1"},
    *({"sec_fetch_mode": "no-cors", "sec_fetch_dest": name} for name in ("image", "script", "iframe", "object", "")),
    *({"sec_fetch_dest": name} for name in ("document", "frame", "embed", "video", "serviceworker", "empty, document")),
]
SITES: list[dict[str, str]] = [
    {},
    {"sec_fetch_site": "same-origin"},
    {"sec_fetch_site": "none"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "cross-site", "origin": "https://ui.example.org"},
]


@pytest.mark.parametrize("site", SITES)
def test_what_no_script_asks_for_is_refused_wherever_it_comes_from(settings: Settings, site: dict[str, str]) -> None:
    settings.ALLOWED_ORIGINS = frozenset({"https://ui.example.org"})
    for navigation in NAVIGATIONS:
        assert refused(**site, **navigation) == "cross_site", navigation


def test_a_header_that_stands_twice_does_not_hide_what_it_says() -> None:
    asked = scope(sec_fetch_site="same-origin", sec_fetch_mode="cors", sec_fetch_dest="empty")
    read_request(asked)
    for name, value in ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"), (b"sec-fetch-site", b"x")):
        with pytest.raises(ApiError, match="cross_site"):
            read_request({**asked, "headers": [*asked["headers"], (name, value)]})


def test_our_pages_allowed_origins_and_programs_are_not(settings: Settings) -> None:
    settings.ALLOWED_ORIGINS = frozenset({"https://ui.example.org"})
    for headers in (
        {},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors", "sec_fetch_dest": "empty"},
        {"sec_fetch_site": "same-origin", "sec_fetch_mode": "same-origin", "sec_fetch_dest": "empty"},
        {"sec_fetch_site": "cross-site", "origin": "https://ui.example.org"},
    ):
        assert read_request(scope("", **headers))


@pytest.mark.parametrize("name", ["token", "last_event_id", "follow"])
def test_a10_what_may_stand_once_stands_once(name: str) -> None:
    value = TICKET if name == "token" else ""
    assert refused(f"{name}={value}&{name}={value}") == "duplicate_parameter"


@pytest.mark.parametrize("cursor", ["x", "-1", "1e9", "k7f3", "'; drop", "%00", "x" * 10_000])
def test_s11_what_is_no_cursor_is_a_bad_cursor(cursor: str) -> None:
    assert refused(f"last_event_id={cursor}") == "bad_cursor"


@pytest.mark.parametrize("query", ["follow=maybe", "severity=fatal", "module=" + "x" * 65])
def test_a_filter_that_can_match_nothing_is_said(query: str) -> None:
    with pytest.raises(BadFilter):
        read_request(scope(query))


# Who asks


pytestmark = pytest.mark.usefixtures("ledger")


async def with_ticket(token: AccessToken, selection: Selection = EVERYTHING) -> str:
    """A ticket of this token, as the query holds it."""
    holder = (await directory.current()).with_public_id(token.public_id)
    text = tokens.mint_ticket()
    await tickets.store(text, tickets.new(holder, selection), address="192.0.2.1")
    return f"token={text}"


async def admitted(query: str = "", **headers: str) -> admission.Admitted:
    asked = scope(query, **headers)
    return await authorise(read_request(asked), asked["headers"], CALLER)


async def refusal(query: str = "", **headers: str) -> str:
    with pytest.raises(ApiError) as raised:
        await admitted(query, **headers)
    return raised.value.reason


issue_async = sync_to_async(issue)


async def test_a_request_without_a_credential_is_refused() -> None:
    assert await refusal() == "missing_token"


async def test_a_ticket_opens_one_stream_and_beats_a_header() -> None:
    token, _ = await issue_async()
    query = await with_ticket(token)
    found = await admitted(query, x_vx11_token="not looked at")
    assert found.principal.public_id == token.public_id
    request = read_request(scope(query))
    assert len(await use_up(request, found, CALLER)) == 36
    with pytest.raises(ApiError, match="invalid_token"):
        await use_up(request, found, CALLER)
    assert await refusal(query) == "invalid_token"


async def test_redeeming_is_on_record_also_when_the_client_hangs_up_meanwhile(settings: Settings) -> None:
    with PrivateRedis() as server, using(server, settings):
        token, _ = await issue_async()
        query = await with_ticket(token)
        found = await admitted(query)
        with server.hung():
            redeeming = asyncio.ensure_future(use_up(read_request(scope(query)), found, CALLER))
            await until(lambda: bool(admission._redeeming))
            redeeming.cancel()
            await asyncio.gather(redeeming, return_exceptions=True)
        await until(lambda: not admission._redeeming)
        with pytest.raises(tickets.Used):
            await tickets.find(query.removeprefix("token="))
    await sync_to_async(writer.close)()
    assert await TokenAudit.objects.filter(action="ticket_redeemed").acount() == 1


async def test_redeeming_is_on_record_by_names_and_not_by_texts() -> None:
    token, _ = await issue_async()
    query = await with_ticket(token)
    found = await admitted(query)
    stream_id = await use_up(read_request(scope(query)), found, CALLER)
    await sync_to_async(writer.close)()
    row = await TokenAudit.objects.aget(action="ticket_redeemed")
    assert found.ticket is not None
    assert (row.principal_id, row.ticket_id, row.stream_id) == (token.public_id, found.ticket.public_id, stream_id)
    assert (row.address, row.correlation_id) == ("192.0.2.1", "c-1")
    assert not any(query[6:] in str(value) for value in vars(row).values())


async def test_being_admitted_uses_nothing_up() -> None:
    token, _ = await issue_async()
    query = await with_ticket(token)
    for _ in range(3):
        assert await admitted(query)


async def test_a_principal_may_come_with_its_token_in_a_header() -> None:
    token, text = await issue_async()
    for headers in ({"x_vx11_token": text}, {"authorization": f"Bearer {text}"}):
        found = await admitted(**headers)
        assert (found.principal.public_id, found.ticket) == (token.public_id, None)


@pytest.mark.parametrize("text", ["nonsense", TICKET])
async def test_a06_a_header_that_holds_no_principal_token_is_refused(text: str) -> None:
    assert await refusal(x_vx11_token=text) == "main_auth_failed"


async def test_a06_a_ticket_is_no_principal() -> None:
    token, _ = await issue_async()
    query = await with_ticket(token)
    assert await refusal(x_vx11_token=query[6:]) == "main_auth_failed"
    assert await admitted(query)


async def test_a06_a_service_is_known_but_may_not_read() -> None:
    _, text = await issue_async("service")
    assert await refusal(x_vx11_token=text) == "insufficient_scope"


async def test_a_ticket_dies_with_the_rights_of_its_principal() -> None:
    token, _ = await issue_async()
    query = await with_ticket(token)
    await sync_to_async(token.delete)()
    assert await refusal(query) == "invalid_token"


async def test_a16_what_may_be_seen_is_what_principal_ticket_and_query_all_admit() -> None:
    token, _ = await issue_async(modules=frozenset({"madre", "switch"}))
    everything = await admitted(await with_ticket(token))
    narrow = await admitted(await with_ticket(token, MADRE) + "&severity=warn")
    assert everything.selection == Selection(modules=frozenset({"madre", "switch"}))
    assert narrow.selection == Selection(frozenset({"warn"}), frozenset({"madre"}))


async def test_a16_a_module_outside_is_refused_when_asked_for_by_name() -> None:
    token, text = await issue_async(modules=frozenset({"madre"}))
    assert await refusal("module=switch", x_vx11_token=text) == "insufficient_scope"
    assert await refusal(await with_ticket(token) + "&module=madre,switch") == "insufficient_scope"
    other, _ = await issue_async()
    assert await refusal(await with_ticket(other, MADRE) + "&module=switch") == "insufficient_scope"
