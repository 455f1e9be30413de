"""Events of random content: letters of all scripts, signs of all kinds, numbers in all spellings."""

import json
import random
import sys
import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Any

from events.log.records import Record, encode
from events.query.record_view import as_text

SYNTAX = [
    "(",
    ")",
    '"',
    "*",
    ":",
    ",",
    "-",
    ">=",
    "<",
    ">",
    " OR ",
    " AND ",
    " NOT ",
    "payload.",
    "module:",
    "\\",
    ".",
    " ",
]
# One of each kind that a reader of text can trip over: spaces, ends of lines, joiners, marks of direction, controls.
SIGNS = [
    *(
        chr(code)
        for code in (*range(0x21), 0x7F, 0x85, 0xA0, 0xAD, 0x1680, 0x180E, *range(0x2000, 0x2010), 0x2028, 0x2029)
    ),
    *(chr(code) for code in (0x202A, 0x202E, 0x202F, 0x205F, 0x2060, 0x2066, 0x2069, 0x3000, 0xFEFF, 0xFFFD, 0x61C)),
    *"!#$%&'+/;=?@[]^_`{|}~·…–—„“”«»、。・",
    *(
        "é",
        "e\u0301",
        "\u0301",
        "\u20e3",
        "\U0001f3fd",
        "\ufe0f",
        "ß",
        "ẞ",
        "ſ",
        "İ",
        "ı",
        "Σ",
        "ς",
        "ŉ",
        "ﬁ",
        "K",
        "Å",
    ),
]
PIECES = [
    *(
        "connection",
        "refused",
        "Connection-Refused",
        "event-client",
        "disk_usage",
        "HTTP",
        "http.access",
        "a",
        "b",
        "x1",
    ),
    *(
        "http://host:8080/path?q=1&r=2",
        "12:30:05",
        "C:\\dir",
        'say "hi"',
        "(x)",
        "a,b",
        "*",
        "-5",
        "NaN",
        "null",
        "true",
    ),
    *("Ärger", "naïve", "Straße", "STRASSE", "İstanbul", "ısı", "ΟΔΟΣ", "οδός", "ﬁne", "Ǆ", "ﷺ", "½", "x²", "①", "№5"),
    *(
        "日本語テスト",
        "カタカナ・テスト",
        "中文。",
        "한국어",
        "ผู้ใช้งาน",
        "ភាសាខ្មែរ",
        "မြန်မာ၊",
        "ລາວ",
        "हिन्दी",
        "தமிழ்",
        "မြန်မာ",
    ),
    *("مرحبا بالعالم", "שָׁלוֹם", "\u202eturned\u202c", "פה\u200fA", "می\u200cخواهم", "Ελλάδα", "Привет", "ёж", "Їжак"),
    *(
        "👍🏽",
        "👩🏽\u200d💻",
        "🇩🇪🇫🇷",
        "1\ufe0f\u20e3",
        "🏴\U000e0067\U000e0062\U000e007f",
        "❤\ufe0f",
        "☃",
        "𝔘𝔫𝔦",
        "𠮷野家",
    ),
    *(
        "e\u0301te\u0301",
        "o\u0323\u0302",
        "a\u0300\u0316\u0301",
        "\u0301",
        "Z\u0351\u036b",
        "v" * 63,
        "w" * 64,
        "w" * 80,
        "\U0001faff",
    ),
]
BETWEEN = [" ", " ", " ", "-", "_", ".", "/", "", "\n", "\t", "\u00a0", "\u3000", "\u200d", "\u200b", ": ", ", "]
KEYS = [
    "a",
    "b",
    "status",
    "path",
    "0",
    "odd key",
    "größe",
    "日本",
    "",
    'q"uo\\te',
    "x.y",
    "__proto__",
    "constructor",
    "👍",
]
NUMBERS = [
    *(
        "0",
        "-0",
        "0.0",
        "-0.0",
        "0e7",
        "1",
        "-1",
        "1.0",
        "10",
        "1e1",
        "1E+1",
        "100",
        "1e2",
        "0.1",
        "0.10",
        "1e-1",
        "0.5",
    ),
    *(
        "503",
        "5.03e2",
        "503.000",
        "3.14",
        "-2.5",
        "1e300",
        "1e-400",
        "-1e-400",
        "1e-99999999999999999999",
        "123456789.125",
    ),
    *(
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "0.1000000000000000055511151231",
    ),
    *("18446744073709551615", "18446744073709551614", "-9223372036854775808", "1.7976931348623157e308", "1e21", "1e-7"),
]
# Names come in the form that the log takes.
NAMES = ["gateway", "gate", "Gateway", "spawner", "http.access", "http", "other", "req-9f3a", "e-1", "a_b", "x"]
DEEPEST = 4


def body(dice: random.Random) -> str:
    """The event's JSON, as in a stream's data line."""
    moment = datetime(2026, 1, 4, 1, 34, 28, tzinfo=UTC)
    event_id, event_type, module, correlation_id = (dice.choice(NAMES) for _ in range(4))
    severity = dice.choice(["info", "warn", "error", "critical"])
    payload = _object(dice, 0)
    record = Record(1, event_id, event_type, text(dice), module, severity, correlation_id, payload, moment, None)
    return encode(record).body.decode()


def text(dice: random.Random) -> str:
    parts = [_piece(dice) for _ in range(dice.choice([1, 1, 2, 3, 6]))]
    return "".join(part + dice.choice(BETWEEN) for part in parts)


def written(scalar: Any) -> str:
    return "" if isinstance(scalar, dict) else as_text(scalar)


def respelled(number: str) -> list[str]:
    """The same number in other ways, and one that is near."""
    if "e" in number.lower():
        return [number.upper(), number]
    whole = number if "." in number else f"{number}.0"
    return [f"{whole}0", f"{number}e0", f"{number}E-00", f"{whole}1"]


def _piece(dice: random.Random) -> str:
    kind = dice.random()
    if kind < 0.75:
        return dice.choice(PIECES)
    letters = _letters() if kind < 0.95 else SIGNS[1:]
    return "".join(dice.choice(letters) for _ in range(dice.randrange(1, 8)))


@cache
def _letters() -> list[str]:
    """One in seven of what Unicode has assigned, as far as Python knows, without what is private."""
    every = (chr(code) for code in range(1, sys.maxunicode + 1))
    return [letter for letter in every if unicodedata.category(letter) not in ("Cn", "Cs", "Co")][::7]


def _json(dice: random.Random, depth: int) -> str:
    kind = dice.random()
    if depth < DEEPEST and kind < 0.25:
        return _object(dice, depth + 1)
    if depth < DEEPEST and kind < 0.4:
        return f"[{','.join(_json(dice, depth + 1) for _ in range(dice.randrange(4)))}]"
    if kind < 0.65:
        return dice.choice([*NUMBERS, str(dice.randrange(-20, 20))])
    if kind < 0.72:
        return dice.choice(["true", "false", "null"])
    return json.dumps(dice.choice([*NUMBERS, *NAMES]) if kind < 0.8 else text(dice), ensure_ascii=dice.random() < 0.5)


def _object(dice: random.Random, depth: int) -> str:
    keys = dice.sample(KEYS, dice.randrange(1, 5))
    return f"{{{','.join(f'{json.dumps(key)}:{_json(dice, depth)}' for key in keys)}}}"
