"""The OpenAPI document is well formed and complete, and docs/api.md says the same in words."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from gateway.http.errors import REASONS
from gateway.http.openapi import refuses
from tests.client import API, Json

API_DOCUMENT = Path(__file__).resolve().parents[2] / "docs/api.md"
# What a request can be refused for before anybody looks at what it asks for.
OF_CREDENTIALS = {"401", "429", "503"}
OF_BODIES = {"413", "415", "422"}


@pytest.fixture(scope="module")
def document() -> Json:
    made: Json = SchemaGenerator().get_schema(request=None, public=True)
    # As clients get it.
    return json.loads(json.dumps(made))


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_it_is_made_without_a_warning() -> None:
    GENERATOR_STATS.reset()
    SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS


def test_it_is_the_same_each_time(document: Json) -> None:
    again = SchemaGenerator().get_schema(request=None, public=True)
    assert json.loads(json.dumps(again)) == document


def test_it_is_an_openapi_document(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    validate_schema(document)


def test_every_reference_leads_somewhere(document: Json) -> None:
    named = set(re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(document)))
    there = {(kind, name) for kind, components in document["components"].items() for name in components}
    assert named
    assert named - there == set()


def test_patterns_escape_only_what_every_language_lets_escape(document: Json) -> None:
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(document))
    assert patterns
    escaped = {found for pattern in patterns for found in re.findall(r"\\(.)", json.loads(pattern))}
    assert escaped <= {"x", "."}


def test_every_reason_to_refuse_is_under_its_status_and_nowhere_else(document: Json) -> None:
    for name, response in document["components"]["responses"].items():
        _, narrowed = response["content"]["application/problem+json"]["schema"]["allOf"]
        status = narrowed["properties"]["status"]["const"]
        assert name == f"ApiError{status}"
        assert set(narrowed["properties"]["reason"]["enum"]) == {
            reason for reason, (of, _) in REASONS.items() if of == status
        }


def test_a_misspelt_reason_is_found_when_the_views_are_loaded() -> None:
    with pytest.raises(AssertionError, match="insufficient_scopes"):
        refuses("insufficient_scopes")


def test_whoever_wants_a_credential_says_what_becomes_of_bad_ones(document: Json) -> None:
    for method, path, operation in operations(document):
        wants = any(operation["security"])
        assert (operation["responses"].keys() >= OF_CREDENTIALS) == wants, f"{method} {path}"
        assert wants or "x-required-scope" not in operation


def test_whoever_takes_a_body_says_what_becomes_of_bad_ones(document: Json) -> None:
    for method, path, operation in operations(document):
        assert (operation["responses"].keys() >= OF_BODIES) == ("requestBody" in operation), f"{method} {path}"


def test_every_answer_says_which_headers_it_has(document: Json) -> None:
    answers = list(document["components"]["responses"].values())
    for _, _, operation in operations(document):
        answers += [answer for answer in operation["responses"].values() if "$ref" not in answer]
    for answer in answers:
        assert answer["description"]
        assert answer["headers"].keys() >= {"X-Correlation-Id", "Cache-Control"}


def test_only_a_body_in_which_nothing_is_required_may_be_left_out(document: Json) -> None:
    bodies = {
        operation["operationId"]: operation["requestBody"].get("required", False)
        for _, _, operation in operations(document)
        if "requestBody" in operation
    }
    assert bodies["publish"]
    assert not bodies["issue_ticket"]


def test_every_operation_is_described_in_words(document: Json) -> None:
    text = API_DOCUMENT.read_text()
    named = {f"`{method} {path.removeprefix(API + '/')}" for method, path, _ in operations(document)}
    assert [name for name in named if not re.search(re.escape(name) + r"[`?]", text)] == []


def test_every_reason_to_refuse_is_described_in_words() -> None:
    assert [reason for reason in REASONS if f"`{reason}`" not in API_DOCUMENT.read_text()] == []


def test_every_parameter_is_described_in_words(document: Json) -> None:
    named = {
        parameter["name"] for _, _, operation in operations(document) for parameter in operation.get("parameters", ())
    }
    assert [name for name in sorted(named) if f"`{name}" not in API_DOCUMENT.read_text()] == []


def test_every_field_that_can_be_sent_is_described_in_words(document: Json) -> None:
    schemas = document["components"]["schemas"]
    bodies = ("Submission", "SubmissionBatch", "TicketRequest", "WindowOpening", "WindowExtension", "ChatQuestion")
    sent = {name for body in (*bodies, "SettingsToKeep") for name in schemas[body]["properties"]}
    text = API_DOCUMENT.read_text()
    assert [name for name in sorted(sent) if f"`{name}`" not in text and f'"{name}"' not in text] == []
