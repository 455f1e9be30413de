"""What a query means: which events pass."""

from typing import Any

import pytest

from events.query.parser import parse
from tests.events.query.samples import passes


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("connection", True),
        ("CONNECTION", True),
        ("connect", False),
        ("connect*", True),
        ('"connection refused"', True),
        ('"refused connection"', False),
        ('"connection ref"', False),
        ('"connection ref"*', True),
        ("connection upstream", True),
        ("upstream connection", True),
        ("connection nothing", False),
        ("nothing OR connection", True),
        ("nothing OR never", False),
        ("connection -nothing", True),
        ("connection -refused", False),
        ("NOT nothing", True),
        ("connection NOT refused", False),
        ("connection AND refused", True),
        ("nothing connection OR refused", True),
        ("nothing (connection OR refused)", False),
        ("-(nothing OR never)", True),
        ("req-9f3a", True),
        ("http.access", True),
        ("access", True),
        ("e-1", True),
        ("module:gateway", True),
        ("module:GATEWAY", False),
        ("module:gate", False),
        ("module:gate*", True),
        ("module:(spawner,gateway)", True),
        ("module:( spawner , gate* )", True),
        ("module:(spawner,madre)", False),
        ("type:http.*", True),
        ("event_type:http.access", True),
        ("-type:http.*", False),
        ("correlation:req-9f3a", True),
        ("id:e-1", True),
        ('module:"gateway"', True),
        ("severity:error", True),
        ("severity:(warn,ERROR)", True),
        ("severity>=warn", True),
        ("severity>=warning", True),
        ("severity>error", False),
        ("severity<critical", True),
        ("severity<=info", False),
        ("gateway refused", True),
    ],
)
def test_fields_and_words(query: str, *, wanted: bool) -> None:
    assert passes(query) is wanted


PAYLOAD = {
    "http": {"status": 503, "path": "/a b", "ok": False, "none": None},
    "users": [{"name": "Ana"}, {"name": "Bo"}, [{"name": "Cy"}]],
    "odd.key": {'say "hi"': 1},
    "as_text": "10",
    "empty": {},
    "tags": [],
    "ratio": 0.5,
    "größe": "Übermaß",
}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("payload.http.status:503", True),
        ("payload.http.status:503.0", True),
        ("payload.http.status:5.03e2", True),
        ("payload.http.status:50*", True),
        ("payload.http.status>=500", True),
        ("payload.http.status>503", False),
        ("payload.http.status<1e3", True),
        ("payload.http.status:(200,503)", True),
        ("payload.http.status:(2*,50*)", True),
        ("payload.http.status:*", True),
        ("payload.http.missing:*", False),
        ("-payload.http.missing:*", True),
        ("payload.empty:*", True),
        ("payload.http:*", True),
        ("payload.http:503", False),
        ("payload.http.ok:false", True),
        ("payload.http.none:null", True),
        ("payload.http.ok>=0", False),
        ('payload.http.path:"/a b"', True),
        ('payload.http.path:"/a"*', True),
        ("payload.users.name:Bo", True),
        ("payload.users.name:Cy", True),
        ("payload.users.name:bo", False),
        ('payload."odd.key"."say \\"hi\\"":1', True),
        ("payload.as_text:10", True),
        ("payload.as_text>=10", False),
        ("payload.ratio:0.5", True),
        ("payload.ratio:0.50", True),
        ('payload."größe":"Übermaß"', True),
        ("ubermass", True),
        ("status", True),
        ("503", True),
        ('"a b"', True),
        ("false", True),
        ('"Ana Bo"', False),
    ],
)
def test_the_payload(query: str, *, wanted: bool) -> None:
    assert passes(query, PAYLOAD) is wanted


@pytest.mark.parametrize(
    ("query", "payload", "wanted"),
    [
        ("payload.n:12345678901234567.0", '{"n":12345678901234567.0}', True),
        ("payload.n:1e5", '{"n":1e5}', True),
        ("payload.n:100000", '{"n":1e5}', True),
        ("payload.n:0.10", '{"n":0.10}', True),
        ("payload.n:NaN", {"n": "NaN"}, True),
        ("payload.n>=0", {"n": "NaN"}, False),
        ("payload.n:1", {"n": True}, False),
        ("payload.n:true", {"n": [1, True]}, True),
        ("payload.n:*", {"n": []}, False),
    ],
)
def test_numbers_and_what_looks_like_them(query: str, payload: Any, *, wanted: bool) -> None:
    assert passes(query, payload) is wanted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b", "a AND b"),
        ("-a", "NOT a"),
        ("module:(b,a)", "module:(a,b)"),
        ("severity>=warn", "severity:(warn,error,critical)"),
        ('"A  b"', '"a b"'),
        ("(a)", "a"),
    ],
)
def test_queries_that_mean_the_same_are_equal(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert hash(parse(one)) == hash(parse(other))


def test_a_deep_and_wide_payload_is_searched_whole() -> None:
    deep: Any = "needle"
    for _ in range(30):
        deep = {"k": [deep, "x"]}
    assert passes("needle", deep)
    assert passes(f"payload.{'.'.join(['k'] * 30)}:needle", deep)
