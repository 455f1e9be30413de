"""Thousands of queries and events, the same in each run, with Python's answer: what JavaScript is held to."""

import dataclasses
import random
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from events.query import BadQuery, RecordView, parse
from events.query.words import words
from tests.events.query import texts
from tests.events.query.mistakes import HARD, MISTAKES

SEED = 20_260_104
EVENTS, QUERIES, SPOILED, EVENTS_FOR_EACH = 200, 3_000, 2_000, 8


@dataclasses.dataclass(frozen=True)
class Case:
    """`answer` is for each event of `chosen` whether it passes, or a mistake: position, length, sentence."""

    query: str
    chosen: list[int]
    answer: list[bool | int | str]

    @property
    def is_mistake(self) -> bool:
        return not self.chosen


@dataclasses.dataclass(frozen=True)
class Table:
    bodies: list[str]
    cases: list[Case]


@cache
def table() -> Table:
    dice = random.Random(SEED)
    bodies = [texts.body(dice) for _ in range(EVENTS)]
    records = [RecordView(body.encode()) for body in bodies]
    queries = [*(_query(dice, dice.choice(records)) for _ in range(QUERIES))]
    queries += [_spoiled(dice, dice.choice(queries)) for _ in range(SPOILED)]
    queries += [query for query, _, _ in MISTAKES]
    queries += [piece * (1_000 // len(piece)) for piece in HARD]
    queries += [letter * count for letter in ("a", "👍", "é") for count in (999, 1_000, 1_001, 1_100)]
    queries += [f"module:({','.join('a' * count)}) b{' c' * more}" for count in (30, 31, 32, 33) for more in (0, 1)]
    queries += [f"a{sign}b" for sign in texts.SIGNS] + [f"module:{sign}a" for sign in texts.SIGNS]
    return Table(bodies, [_case(dice, query, records) for query in queries])


def _case(dice: random.Random, text: str, records: list[RecordView]) -> Case:
    try:
        query = parse(text)
    except BadQuery as bad:
        return Case(text, [], [bad.position, bad.length, bad.sentence])
    chosen = dice.sample(range(len(records)), EVENTS_FOR_EACH)
    # Most events differ from most queries: half of those that are asked about pass, if so many do.
    passing = [index for index in dice.sample(range(len(records)), len(records)) if query.matches(records[index])]
    chosen[: EVENTS_FOR_EACH // 2] = passing[: EVENTS_FOR_EACH // 2]
    return Case(text, chosen, [query.matches(records[index]) for index in chosen])


def _query(dice: random.Random, about: RecordView) -> str:
    """With terms out of this event, so that some of the queries are fulfilled."""
    terms = [_part(dice, about) for _ in range(dice.choice([1, 1, 1, 2, 2, 3, 5]))]
    query = terms[0]
    for term in terms[1:]:
        query += dice.choice([" ", " ", "  ", " AND ", " OR ", "\u00a0OR\t", "\u3000", " \u200f"]) + term
    return query


def _part(dice: random.Random, about: RecordView) -> str:
    term = dice.choice(TERMS)(dice, about)
    around = dice.choice(["{}"] * 8 + ["-{}", "NOT {}", "({})", "-(-{})", "( {} OR nothing )", "(nothing OR(NOT {}))"])
    return around.replace("{}", term)


def _word(dice: random.Random, about: RecordView) -> str:
    found = words(dice.choice([about.field("event_type"), about.field("summary"), *_scalar_texts(about)]))
    start = dice.randrange(len(found)) if found else 0
    chosen = " ".join(found[start : start + dice.choice([1, 1, 2, 3])]) or "nothing"
    chosen = dice.choice(SPELLINGS)(chosen)
    star = dice.choice(["", "", "*"])
    return _quoted(chosen) + star if " " in chosen or dice.random() < 0.3 else chosen + star


SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.title,
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: text[: len(text) // 2 + 1],
]


def _raw(dice: random.Random, about: RecordView) -> str:
    """A text as it stands in the event, or a part of it."""
    text = dice.choice([about.field("summary"), *_scalar_texts(about)])
    start = dice.randrange(len(text) + 1)
    return _quoted(text[start : start + dice.choice([5, 20, 200])]) + dice.choice(["", "*"])


def _field(dice: random.Random, about: RecordView) -> str:
    name, field = dice.choice(
        [("module", "module"), ("type", "event_type"), ("event_type", "event_type"), ("id", "event_id")]
        + [("correlation", "correlation_id"), ("correlation_id", "correlation_id"), ("severity", "severity")]
    )
    value = about.field(field)
    if name == "severity" and dice.random() < 0.6:
        return f"severity{dice.choice(['<', '<=', '>', '>='])}{dice.choice([value, 'Warning', 'info', 'critical'])}"
    other = "warning" if name == "severity" else "other"
    return f"{name}:{_values(dice, [value], other)}"


def _payload(dice: random.Random, about: RecordView) -> str:
    path, scalar = dice.choice(list(_paths(about.payload)) or [(("a",), "x")])
    keys = "".join(f".{key if key.isascii() and key.isalnum() else _quoted(key)}" for key in path)
    if isinstance(scalar, int | float) and not isinstance(scalar, bool):
        numbers = dice.choice([[texts.written(scalar)], texts.respelled(texts.written(scalar)), texts.NUMBERS])
        if dice.random() < 0.5:
            return f"payload{keys}{dice.choice(['<', '<=', '>', '>='])}{dice.choice(numbers)}"
        return f"payload{keys}:{_values(dice, numbers, '12')}"
    if dice.random() < 0.2:
        return f"payload{keys}:*"
    return f"payload{keys}:{_values(dice, [texts.written(scalar)], 'x')}"


TERMS: list[Callable[[random.Random, RecordView], str]] = [_word, _word, _raw, _field, _payload, _payload]


def _values(dice: random.Random, wanted: list[str], other: str) -> str:
    one = _value(dice, dice.choice(wanted))
    return dice.choice([one, one, f"({one},{other})", f"( {other} , {one} )", f"({other}*,x,{one})"])


def _value(dice: random.Random, text: str) -> str:
    cut = dice.random() < 0.3
    text, star = (text[: dice.randrange(len(text) + 1)], "*") if cut else (text, "")
    plain = text and text.isascii() and not set(text) & set(' *"(),') and text.isprintable()
    return (text if plain and dice.random() < 0.8 else _quoted(text)) + star


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _spoiled(dice: random.Random, query: str) -> str:
    """With a few characters gone, added or swapped."""
    letters = list(query)
    for _ in range(dice.choice([1, 1, 2, 4])):
        place = dice.randrange(len(letters) + 1)
        letters[place : place + dice.randrange(3)] = dice.choice([*texts.SYNTAX, "", "", dice.choice(texts.SIGNS)])
    return "".join(letters)


def _scalar_texts(about: RecordView) -> list[str]:
    return [texts.written(scalar) for _, scalar in _paths(about.payload) if not isinstance(scalar, dict)]


def _paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every place of the payload and what stands there."""
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
        return
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
