"""The types of the API's answers, by which the console's scripts are checked, name what the API documents."""

import re
from typing import Any

import pytest

from events.http import openapi as events_openapi
from operator_api.http import openapi as operator_openapi
from tests.servers import ROOT
from watches.http import openapi as watches_openapi

SCHEMAS: dict[str, Any] = {**events_openapi.SCHEMAS, **operator_openapi.SCHEMAS, **watches_openapi.SCHEMAS}
SOURCES = ["static/operator_api/answers.d.ts", "static/events/event-client-parts.d.ts"]
INTERFACES = {
    (source, name): body
    for source in SOURCES
    for name, body in re.findall(r"^export interface (\w+) \{\n(.*?)^\}", (ROOT / source).read_text(), re.M | re.S)
}
OF_THE_API = [place for place in INTERFACES if place[1] in SCHEMAS]


def test_the_types_of_the_answers_are_named_like_the_schemas() -> None:
    named = {name for _, name in OF_THE_API}
    assert named == {
        "EventPage",
        "Stats",
        "Facets",
        "WindowStatus",
        "Module",
        "Modules",
        "SavedView",
        "SavedViews",
        "Firing",
        "Firings",
        "Watch",
        "Watches",
        "WatchPreview",
        "WatchTargets",
        "ChatMessage",
        "ChatHistory",
        "ChatReply",
    }


@pytest.mark.parametrize(("source", "name"), OF_THE_API)
def test_a_type_of_an_answer_has_only_documented_fields(source: str, name: str) -> None:
    fields = set(re.findall(r"^  (\w+)\??:", INTERFACES[source, name], re.MULTILINE))
    assert fields
    assert fields <= set(SCHEMAS[name]["properties"])


def test_no_two_folders_have_a_script_of_the_same_name() -> None:
    names = [path.name for path in (ROOT / "static").glob("*/*.js")]
    assert sorted(names) == sorted(set(names))
