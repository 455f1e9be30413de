"""Queries against a running server: pages, stream, ticket, counts, values, one event, its neighbours, exports."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.answers import EVENT_FIELDS, assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack

EVENTS = f"{API}/events"
REFUSED = {"summary": "Connection refused by upstream", "severity": "error", "payload": {"http": {"status": 502}}}
ACCESS = {"summary": "GET /index.html", "event_type": "http.access", "payload": {"http": {"status": 200}}}


@pytest.fixture
def published(service: Client, new_event: Callable[..., Json]) -> list[str]:
    """Ids of six events, oldest first: two kinds, by turns, from two modules."""
    events = [
        new_event(module="gateway" if number < 4 else "spawner", **(REFUSED if number % 2 else ACCESS))
        for number in range(6)
    ]
    return [event["event_id"] for event in service.published(events)["events"]]


@pytest.fixture
def narrow(stack: Stack) -> Client:
    """May see one module."""
    token, _ = stack.issue_token("principal", modules=("spawner",))
    stack.wait_until_known(token)
    return stack.client(token)


def ids(page: Json) -> list[str]:
    return [event["event_id"] for event in page["events"]]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ('"connection refused"', [1, 3, 5]),
        ("refus* -module:spawner", [1, 3]),
        ("severity>=warn module:(gateway,other)", [1, 3]),
        ("type:http.* OR module:spawner", [0, 2, 4, 5]),
        ("payload.http.status>=500", [1, 3, 5]),
        ("nothingofthekind", []),
    ],
)
def test_pages_stream_counts_and_exports_agree_on_what_passes(
    stack: Stack, principal: Client, published: list[str], marker: str, query: str, numbers: list[int]
) -> None:
    asked = {"q": f"{query.replace(' OR ', f' correlation:{marker} OR ')} correlation:{marker}"}
    wanted = [published[number] for number in numbers]
    page = principal.polled(**asked, limit=100)
    assert ids(page) == wanted
    assert (page["total"], page["complete"]) == (None, True)
    assert principal.polled(**asked, total="true")["total"] == len(wanted)

    before_all = principal.polled(correlation_id=marker, limit=100)["first_cursor"]
    before = principal.polled(before=before_all, limit=1)["cursor"]
    assert ids(principal.polled(**asked, since=before, limit=100)) == wanted
    ticket = principal.ticket(q=asked["q"])
    with stack.client(None).stream(token=ticket, last_event_id=before, follow="false") as stream:
        assert [frame.data["event_id"] for frame in stream.rest() if frame.is_event] == wanted
    with principal.stream(q=asked["q"], last_event_id=before, follow="false") as stream:
        assert [frame.data["event_id"] for frame in stream.rest() if frame.is_event] == wanted

    counts = principal.get(f"{EVENTS}/stats", params={**asked, "from": "-1h", "buckets": 10}).json()
    assert sum(bucket["info"] + bucket["error"] for bucket in counts["buckets"]) == len(wanted)
    assert counts["complete"]
    assert len(counts["buckets"]) in (10, 11, 12)
    lines = principal.get(f"{EVENTS}/export", params=asked).text.splitlines()
    assert [json.loads(line)["event_id"] for line in lines[:-1]] == wanted
    assert json.loads(lines[-1]) == {
        "type": "export-end", "complete": True, "events": len(wanted), "cursor": json.loads(lines[-1])["cursor"],
    }  # fmt: skip


def test_live_events_pass_the_queries_of_the_ticket_and_of_the_stream(
    stack: Stack, principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    ticket = principal.ticket(q=f"correlation:{marker} severity>=warn")
    with stack.client(None).stream(token=ticket, q="refused") as stream:
        stream.connected()
        service.published([new_event(**ACCESS), new_event(**REFUSED, module="first"), new_event(severity="error")])
        service.published([new_event(**REFUSED, module="second")])
        assert [event["module"] for event in stream.events(2)] == ["first", "second"]


def test_a_long_poll_waits_for_what_passes_its_query(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    cursor = principal.cursor()
    service.published(new_event(**ACCESS))
    assert principal.polled(since=cursor, q=f"correlation:{marker} refused")["events"] == []
    service.published(new_event(**REFUSED))
    found = principal.polled(since=cursor, q=f"correlation:{marker} refused", wait=10)
    assert [event["severity"] for event in found["events"]] == ["error"]


@pytest.mark.parametrize(
    ("query", "position", "length"),
    [
        ("severity>=loud", 10, 4),
        ("a AND", 5, 0),
        ("  colour:red ", 2, 6),
        ('module:"open', 7, 5),
        ("colour:red", 0, 6),
        ("(a OR b", 0, 1),
        ("a " * 600, 1000, 200),
        ("a " * 40, 64, 16),
        ("type:a*b", 6, 1),
        ("payload.n>=many", 11, 4),
        ("---", 2, 1),
        ("((((((((((a))))))))))", 8, 1),
        ("\U0001f980 foo:x", 2, 3),
    ],
)
@pytest.mark.parametrize("place", ["poll", "stream", "ticket", "stats", "facets", "export"])
def test_a_mistake_in_a_query_is_told_with_its_place(
    principal: Client, place: str, query: str, position: int, length: int
) -> None:
    if place == "ticket":
        answer = principal.issue_ticket({"q": query})
    elif place == "stream":
        with principal.stream(q=query) as stream:
            stream.response.read()
            answer = stream.response
    else:
        answer = principal.get({"poll": EVENTS}.get(place, f"{EVENTS}/{place}"), params={"q": query})
    body = assert_problem(answer, 422, "validation_error")
    (mistake,) = body["errors"]["q"]
    assert (mistake["position"], mistake["length"]) == (position, length)
    assert len(mistake["message"]) > 20


@pytest.mark.parametrize("value", [7, ["a"], {"a": 1}, None])
def test_a_query_of_a_ticket_is_a_text(principal: Client, value: Any) -> None:
    body = assert_problem(principal.issue_ticket({"q": value}), 422, "validation_error")
    assert "q" in body["errors"]


def test_two_queries_in_one_request_are_refused(principal: Client) -> None:
    for path in (EVENTS, f"{EVENTS}/stats", f"{EVENTS}/facets", f"{EVENTS}/export", f"{EVENTS}/stream"):
        answer = principal.get(f"{path}?q=a&q=b", headers={"Accept": "*/*"})
        assert answer.status_code in (400, 422), path
    # Nothing is asked by it.
    assert principal.poll(q="  ").status_code == 200


def test_a_search_never_widens_what_may_be_seen(
    stack: Stack, service: Client, published: list[str], marker: str, narrow: Client
) -> None:
    """A principal of module spawner alone, whatever it asks."""
    asked = {"q": f"(module:gateway OR module:spawner OR refused) correlation:{marker}"}
    own = published[4:]
    assert ids(narrow.polled(**asked)) == own
    with stack.client(None).stream(
        token=narrow.ticket(q=asked["q"]), last_event_id=narrow.polled(**asked)["first_cursor"], follow="false"
    ) as stream:
        assert [frame.data["event_id"] for frame in stream.rest() if frame.is_event] == own[1:]
    facets = narrow.get(f"{EVENTS}/facets", params={**asked, "fields": "module,payload.http.status"}).json()["facets"]
    assert facets["module"]["values"] == [{"value": "spawner", "count": 2}]
    assert facets["payload.http.status"]["values"] == [{"value": "200", "count": 1}, {"value": "502", "count": 1}]
    counts = narrow.get(f"{EVENTS}/stats", params={**asked, "from": "-1h"}).json()["buckets"]
    assert sum(bucket["info"] + bucket["error"] for bucket in counts) == 2
    lines = narrow.get(f"{EVENTS}/export", params=asked).text.splitlines()
    assert [json.loads(line)["event_id"] for line in lines[:-1]] == own
    assert_problem(narrow.get(f"{EVENTS}/{published[0]}"), 404, "not_found")
    assert narrow.get(f"{EVENTS}/{own[0]}").json()["event_id"] == own[0]
    around = narrow.get(f"{EVENTS}/{own[0]}/around").json()
    assert {event["module"] for event in around["events"]} == {"spawner"}


def test_facets_count_what_passes(principal: Client, published: list[str], marker: str) -> None:
    params = {"correlation_id": marker, "fields": "module,event_type,severity,payload.http.status", "limit": 1}
    answer = principal.get(f"{EVENTS}/facets", params=params).json()
    assert answer["complete"]
    assert {name: facet["values"] for name, facet in answer["facets"].items()} == {
        "module": [{"value": "gateway", "count": 4}],
        "event_type": [{"value": "http.access", "count": 3}],
        "severity": [{"value": "error", "count": 3}],
        "payload.http.status": [{"value": "200", "count": 3}],
    }
    assert {facet["distinct"] for facet in answer["facets"].values()} == {2}


@pytest.mark.parametrize("fields", ["colour", "payload", "payload.", "payload.a:b", ",".join("abcdefghijk"), "q"])
def test_facets_of_unknown_fields_are_refused(principal: Client, fields: str) -> None:
    body = assert_problem(principal.get(f"{EVENTS}/facets", params={"fields": fields}), 422, "validation_error")
    assert "fields" in body["errors"]


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "value", ["yesterday", "-15", "-15w", "--15m", "-1.5h", "15m", "-", "-9999999d", "2026-13-01", "-999999d"]
)
def test_times_that_are_none_are_refused(principal: Client, name: str, value: str) -> None:
    for path in (EVENTS, f"{EVENTS}/stats", f"{EVENTS}/facets", f"{EVENTS}/export"):
        body = assert_problem(principal.get(path, params={name: value}), 422, "validation_error")
        assert name in body["errors"]


def test_a_window_of_time_holds_what_was_stored_in_it(principal: Client, published: list[str], marker: str) -> None:
    first = principal.get(f"{EVENTS}/{published[0]}").json()["created_at"]
    for window, found in (
        ({"from": "-1h"}, published),
        ({"from": first}, published),
        ({"to": first}, []),
        ({"from": "-2d", "to": "-1d"}, []),
    ):
        page = principal.polled(correlation_id=marker, limit=100, **window)
        assert ids(page) == found, window
    page = principal.polled(**{"from": "-1h"}, q=f"correlation:{marker}")
    assert page["searched_to"]["time"] is not None


def test_one_event_is_found_by_its_id_and_by_its_cursor(
    principal: Client, service: Client, new_event: Callable[..., Json], published: list[str]
) -> None:
    event = principal.get(f"{EVENTS}/{published[2]}").json()
    assert event.keys() == EVENT_FIELDS
    epoch = principal.cursor().partition("-")[0]
    assert principal.get(f"{EVENTS}/{epoch}-{event['seq']}").json() == event
    around = principal.get(f"{EVENTS}/{published[2]}/around", params={"limit": 4}).json()
    assert [found["seq"] - event["seq"] for found in around["events"]] == [-2, -1, 0, 1]


@pytest.mark.parametrize("name", ["no-such-event", "a%20b", "%00", "x" * 65, "zzzzzz9-12", "%F0%9F%A6%80"])
@pytest.mark.parametrize("tail", ["", "/around"])
def test_an_event_that_is_not_there_is_404_or_410(principal: Client, name: str, tail: str) -> None:
    answer = principal.get(f"{EVENTS}/{name}{tail}")
    assert (answer.status_code, answer.json()["reason"]) in [
        (404, "not_found"), (410, "cursor_expired"), (400, "bad_request"),
    ]  # fmt: skip


def test_an_export_as_csv_is_whole_and_its_numbers_are_as_they_were_published(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    event = json.dumps(new_event(summary="=1+1", payload={"n": 1}))
    number = "9007199254740993"
    body = event.replace('"n": 1', f'"n": {number}, "m": 1.0')
    answer = service.post(EVENTS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    export = principal.get(f"{EVENTS}/export", params={"q": f"correlation:{marker}", "format": "csv"})
    assert export.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in export.headers["content-disposition"]
    header, row, end = list(csv.reader(io.StringIO(export.content.decode("utf-8-sig"))))
    cells = dict(zip(header, row, strict=True))
    assert (cells["summary"], cells["payload"]) == ("'=1+1", f'{{"n":{number},"m":1.0}}')
    assert end[0].startswith("# complete: 1 events, up to ")


def test_an_export_goes_on_after_its_last_line(principal: Client, published: list[str], marker: str) -> None:
    asked = {"correlation_id": marker}
    whole = principal.get(f"{EVENTS}/export", params=asked).text.splitlines()
    end = json.loads(whole[-1])
    rest = principal.get(f"{EVENTS}/export", params={**asked, "since": end["cursor"]}).text.splitlines()
    assert json.loads(rest[-1])["events"] == 0
    assert_problem(principal.get(f"{EVENTS}/export", params={"since": "zzzzzz9-1"}), 410, "cursor_expired")
    assert_problem(principal.get(f"{EVENTS}/export", params={"format": "xml"}), 422, "validation_error")
    head = principal.request("HEAD", f"{EVENTS}/export")
    assert (head.status_code, head.content) == (200, b"")
