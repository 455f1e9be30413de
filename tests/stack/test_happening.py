"""`GET events/stats?by=occurred_at`: counts of what happened when, over HTTP."""

from collections.abc import Callable

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack

STATS = f"{API}/events/stats"
NewEvent = Callable[..., Json]


def counted(client: Client, **params: str) -> tuple[Json, dict[str, int]]:
    """The answer, and the errors of each bucket that has some."""
    answer = client.get(STATS, params={"by": "occurred_at", **params})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body, {bucket["start"]: bucket["error"] for bucket in body["buckets"] if bucket["error"]}


@pytest.fixture
def imported(service: Client, new_event: NewEvent, marker: str) -> str:
    """A query for five lines of another year: three in one minute, two a day later."""
    moments = ["01T10:00:00Z", "01T10:00:30Z", "01T10:00:59.999999Z", "02T10:00Z", "02T10:00Z"]
    service.published([new_event(severity="error", occurred_at=f"2019-05-{moment}") for moment in moments])
    return f"correlation:{marker}"


def test_what_was_imported_is_counted_when_it_happened(principal: Client, imported: str) -> None:
    body, errors = counted(principal, q=imported, buckets="500")
    assert body["complete"]
    assert (body["bucket"], len(body["buckets"])) == (180, 481)
    assert errors == {"2019-05-01T10:00:00.000000Z": 3, "2019-05-02T10:00:00.000000Z": 2}


def test_a_part_of_that_time_can_be_asked_for(principal: Client, imported: str) -> None:
    part = {"occurred_from": "2019-05-01T10:00:00Z", "occurred_to": "2019-05-01T10:01:00Z", "buckets": "2"}
    body, errors = counted(principal, q=imported, **part)
    assert (body["seconds"], body["bucket"]) == (60, 30)
    assert errors == {"2019-05-01T10:00:00.000000Z": 1, "2019-05-01T10:00:30.000000Z": 2}
    # Such a range alone can mean nothing else.
    assert principal.get(STATS, params={"q": imported, **part}).json()["buckets"] == body["buckets"]
    # By when they were stored, none of them is of that year.
    answer = principal.get(STATS, params={"q": imported, "from": "2019-05-01", "to": "2019-05-03"})
    assert sum(bucket["error"] for bucket in answer.json()["buckets"]) == 0


def test_from_and_to_are_still_about_when_events_were_stored(principal: Client, imported: str) -> None:
    assert sum(counted(principal, q=imported, **{"from": "-15m"})[1].values()) == 5
    assert counted(principal, q=imported, to="-15m")[0]["buckets"] == []


def test_a_limited_token_counts_only_what_it_may_see(stack: Stack, service: Client, new_event: NewEvent) -> None:
    service.published([new_event(module=name, occurred_at="2018-01-01T00:00Z") for name in ("hermes", "switch")])
    token, _ = stack.issue_token("principal", modules=("hermes",))
    params = {"by": "occurred_at", "occurred_from": "2018-01-01", "occurred_to": "2018-01-02"}
    buckets = stack.client(token).get(STATS, params=params).json()["buckets"]
    everything = stack.client(stack.principal_token).get(STATS, params=params).json()["buckets"]
    assert 0 < sum(bucket["info"] for bucket in buckets) < sum(bucket["info"] for bucket in everything)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"by": "happened"}, "by"),
        ({"by": "occurred_at", "seconds": "900"}, "seconds"),
        ({"by": "occurred_at", "bucket": "5"}, "bucket"),
        ({"by": "occurred_at", "buckets": "501"}, "buckets"),
        ({"by": "occurred_at", "occurred_from": "yesterday"}, "occurred_from"),
        ({"by": "occurred_at", "occurred_from": "2019-01-02", "occurred_to": "2019-01-01"}, "occurred_to"),
        ({"by": "created_at", "occurred_from": "2019-01-02"}, "occurred_from"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_name_of_the_parameter(
    principal: Client, params: Json, field: str
) -> None:
    problem = assert_problem(principal.get(STATS, params=params), 422, "validation_error")
    assert list(problem["errors"]) == [field]
