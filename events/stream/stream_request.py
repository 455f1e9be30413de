"""What a request for a stream asks, read from its ASGI scope before it is known who asks. Uses nothing up."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from events.log import BadCursor, Cursor
from gateway.filters import BadFilter, Selection, queries, read_severities, read_values
from gateway.http import foreign_hosts, headers
from gateway.http.errors import ApiError

ALLOW = "GET, HEAD, OPTIONS"
# Other names of `last_event_id`: libraries add these when they reconnect, and their users cannot choose the name.
CURSOR_ALIASES = ("lastEventId", "lastEventID", "last-event-id")
SINGLE_PARAMETERS = ("token", "last_event_id", "follow", "q", *CURSOR_ALIASES)
# How EventSource and fetch() ask; an element that loads the address does so with the mode of fetch(), too.
SCRIPT_MODES = frozenset({"cors", "same-origin", "no-cors"})
FLAGS = {"true": True, "1": True, "": True, "false": False, "0": False}


@dataclasses.dataclass(frozen=True, slots=True)
class StreamRequest:
    """What was asked for. `ticket` is empty without one; without a cursor, reading begins now."""

    ticket: str
    cursor: Cursor | None
    follow: bool
    asked: Selection


def read_request(scope: Mapping[str, Any]) -> StreamRequest:
    """Everything that can be checked without knowing the caller. Raises ApiError, BadFilter."""
    raw = scope["headers"]
    # Before all other checks: a token in a URL has leaked, and that goes on record.
    query = headers.query_of(scope.get("query_string", b""))
    if scope["method"] not in ("GET", "HEAD"):
        raise ApiError("method_not_allowed", headers={"Allow": ALLOW})
    refuse_host(raw)
    if not accepts_event_stream(headers.all_values(raw, b"accept")):
        raise ApiError("not_acceptable", title="This address answers text/event-stream only.")
    _refuse_cross_site(raw)
    return read_asked(raw, query)


def read_asked(raw: headers.RawHeaders, query: Mapping[str, list[str]]) -> StreamRequest:
    """What is read, and from where on. Raises ApiError, BadFilter."""
    for name in SINGLE_PARAMETERS:
        if len(query.get(name, ())) > 1:
            raise ApiError("duplicate_parameter", title=f"{name} may stand once.")
    first = {name: values[0] for name, values in query.items()}
    return StreamRequest(
        ticket=first.get("token", ""),
        cursor=_cursor(headers.all_values(raw, b"last-event-id"), last_event_id(query)),
        follow=_follow(first.get("follow", "")),
        asked=read_filters(query),
    )


def last_event_id(query: Mapping[str, list[str]]) -> str:
    """The cursor by any of its names; "" without one.

    An alias goes before `last_event_id`: a library adds it to the address that the page gave it, and it is newer.
    Raises BadFilter for a name that only resembles these: a cursor that is ignored loses events without a word.
    """
    for name in query:
        folded = name.lower()
        if "event" in folded and "id" in folded and name not in ("last_event_id", *CURSOR_ALIASES):
            raise BadFilter(name[:64], "there is no such parameter; a cursor is sent as last_event_id")
    given = {text for name in CURSOR_ALIASES for text in query.get(name, ()) if text}
    if len(given) > 1:
        raise ApiError("duplicate_parameter", title="One cursor may stand here.")
    own = query.get("last_event_id", [""])
    return given.pop() if given else own[0]


def read_filters(query: Mapping[str, list[str]]) -> Selection:
    """The filters of a query; each may repeat or hold a comma list, but for `q`. Raises BadFilter, ApiError."""
    return Selection(
        severities=read_severities("severity", query.get("severity", ())),
        modules=read_values("module", query.get("module", ())),
        event_types=read_values("event_type", query.get("event_type", ())),
        correlation_ids=read_values("correlation_id", query.get("correlation_id", ())),
        queries=queries.read(query.get("q", ())),
    )


def accepts_event_stream(values: list[str]) -> bool:
    """Whether an Accept header admits text/event-stream; none at all admits everything."""
    if not any(values):
        return True
    for item in ",".join(values).split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        refused = any(part.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for part in parameters)
        if media_type in ("text/event-stream", "text/*", "*/*") and not refused:
            return True
    return False


def refuse_host(raw: headers.RawHeaders) -> None:
    """Raises ApiError for a host that is none of ours."""
    name = ",".join(headers.all_values(raw, b"host"))
    domain, _ = split_domain_port(name)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        raise foreign_hosts.refusal(name)


def _refuse_cross_site(raw: headers.RawHeaders) -> None:
    """Browsers send where a request comes from: scripts of our pages may open a stream. So may other programs."""
    if headers.all_values(raw, b"sec-purpose"):
        raise ApiError("cross_site", title="A stream cannot be fetched in advance.")
    # First, wherever it comes from: an address that is navigated to, or put into an element of a page, would use a
    # ticket up for what no script reads.
    modes, targets = (headers.all_values(raw, name) for name in (b"sec-fetch-mode", b"sec-fetch-dest"))
    if not SCRIPT_MODES.issuperset(modes) or not {"empty"}.issuperset(targets):
        raise ApiError("cross_site", title="A stream is opened by a script, not by following a link.")
    if headers.all_values(raw, b"sec-fetch-user"):
        raise ApiError("cross_site", title="A stream is opened by a script, not by following a link.")
    site = headers.all_values(raw, b"sec-fetch-site")
    origin = headers.all_values(raw, b"origin")
    if not site or site in (["same-origin"], ["none"]):
        return
    if len(origin) != 1 or origin[0] not in settings.ALLOWED_ORIGINS:
        raise ApiError("cross_site")


def _cursor(from_header: list[str], from_query: str) -> Cursor | None:
    """Where to begin; None is from now. The header wins: it is what EventSource sends by itself."""
    text = next((value for value in from_header if value), from_query)
    return read_cursor(text) if text else None


def read_cursor(text: str) -> Cursor:
    """Raises ApiError for what is not a cursor."""
    try:
        return Cursor.parse(text)
    except BadCursor:
        raise ApiError("bad_cursor") from None


def _follow(text: str) -> bool:
    if text.lower() not in FLAGS:
        raise BadFilter("follow", "true or false")
    return FLAGS[text.lower()]
