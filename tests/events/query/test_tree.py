"""What a query means: which events pass."""

from datetime import UTC, datetime
from typing import Any

import pytest

from events.log.records import Record, encode
from events.query import RecordView
from events.query.parser import parse
from tests.events.query.samples import DEFAULTS, passes


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
        ("connection.*", True),
        ("connect.*", False),
        ('"connect "*', False),
        ("connection\u200f \u200ferror\ufeff OR refused", True),
        ("\u200fmodule:\u200fgateway\u200f", True),
        ("connection\u00a0OR\u3000nothing", True),
        ("connection-refused", True),
        ("refused-connection", False),
        ("gateway NOT-found", False),
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
        ("severity:err*", True),
        ("severity:*", True),
        ("severity:(w*,c*)", False),
        ('severity:"error"', True),
        ("correlation_id:req-*", True),
        ("event_id:e-1", True),
        ("module:*", True),
        ('module:"gate*"', False),
        ('module:"gate"*', True),
        ('module:("a,b",gateway)', True),
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
    "": "no key",
    "日本": {"emoji 👩🏽\u200d💻": "🇩🇪"},
    "host": "event-client",
    "nothing": "",
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
        ("payload.größe:Übermaß", True),
        ("payload.größe:übermaß", False),
        ('payload."":"no key"', True),
        ('payload.日本."emoji 👩🏽\u200d💻":🇩🇪', True),
        ("payload.日本:*", True),
        ("💻", True),
        ("🇩🇪", True),
        ("日*", True),
        ("event-client", True),
        ("client-event", False),
        ("payload.host:event-*", True),
        ('payload.nothing:""', True),
        ('payload.host:""', False),
        ("payload.host:(x,*)", True),
        ("payload.http.none:nul*", True),
        ("payload.tags:*", False),
        ("payload.users:*", True),
        ("payload.users.name:(Zoe,C*)", True),
        ("payload.users.0:*", False),
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
        ("payload.n:1e2", '{"n":100}', True),
        ("payload.n:1e2", '{"n":"100"}', False),
        ("payload.n:0.1", '{"n":0.10}', True),
        ("payload.n:0.10", '{"n":0.1}', True),
        ("payload.n:0.1*", '{"n":1e-1}', False),
        ("payload.n:0.1", '{"n":0.1000000000000000055511}', False),
        ("payload.n:9007199254740992", '{"n":9007199254740993}', False),
        ("payload.n:9007199254740993", '{"n":9007199254740993}', True),
        ("payload.n:9007199254740993.0", '{"n":9007199254740993}', True),
        ("payload.n>9007199254740992", '{"n":9007199254740993}', True),
        ("payload.n>=9007199254740993", '{"n":9007199254740992}', False),
        ("payload.n<18446744073709551615", '{"n":18446744073709551614}', True),
        ("payload.n<=-9223372036854775807", '{"n":-9223372036854775808}', True),
        ("payload.n<0", '{"n":-0}', False),
        ("payload.n:0", '{"n":-0}', True),
        ("payload.n>0", '{"n":1e-400}', True),
        ("payload.n<1e400", '{"n":1e300}', True),
        (f"payload.n>1e-{'9' * 900}", '{"n":1}', True),
        ("payload.n>=0", {"n": None}, False),
        ("payload.n>=3", {"n": [1, [2, 3]]}, True),
        ("payload.n.m>=3", {"n": [{"m": 1}, {"m": [{"m": 5}, 3]}]}, True),
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


@pytest.mark.parametrize(
    "summary", ["a word\nand more", 'quotes " in it', "back\\slash", "naïve", "\t tab, x" + "y" * 70]
)
@pytest.mark.parametrize(
    "payload", ['{"a":"b c","n":[-1.5e3,true,null],"k":{"d-e":"f:g, h"}}', '{"ü":"\\u00e9"}', "{}"]
)
def test_a_row_and_its_json_have_the_same_words(summary: str, payload: str) -> None:
    """A word, a phrase, and where one text ends, whichever way it was read."""
    record = Record(
        1, payload=payload, created_at=datetime.now(UTC), occurred_at=None, **DEFAULTS | {"summary": summary}
    )
    row, stored = RecordView.of_row(record), RecordView(encode(record).body)
    texts = [[word for word in line.split(" ") if word] for line in row.words.split("\n")]
    assert sorted(texts) == sorted([word for word in line.split(" ") if word] for line in stored.words.split("\n"))
    for name in ("summary", "module", "event_id", "severity"):
        assert row.field(name) == stored.field(name)
    assert row.payload == stored.payload
