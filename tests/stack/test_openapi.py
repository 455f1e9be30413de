"""The OpenAPI document is true: schemathesis asks a running server all that it allows, and much that it forbids.

The questions are the same each time. `FUZZ_SEED=7 FUZZ_EXAMPLES=500` in the environment asks others, and more of them.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.client import Json
from tests.fork_server import ForkServer
from tests.processes import run_program
from tests.stacks import Size, Stack

HERE = Path(__file__).parent
SCHEMATHESIS = HERE / "ask_by_schemathesis.py"
SEED = os.environ.get("FUZZ_SEED", "1")
# For each operation and phase.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
ASKS_ALL = "FUZZ_EXAMPLES" in os.environ
# An example takes some 20 ms, and there are 24 operations, three phases and two kinds of data.
TIMEOUT_SECONDS = 60 + 10 * EXAMPLES

Caller = Literal["principal", "service", "nobody"]
Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def document(stack: Stack) -> Json:
    """What the server says of itself; answers must hold nothing that is not in it, though clients must bear more."""
    answer = stack.client(None).get("/operator/api/schema/?format=json")
    assert answer.status_code == 200
    document: Json = answer.json()
    for name, schema in document["components"]["schemas"].items():
        if name not in requests_of(document):
            close(schema)
    return document


def requests_of(document: Json) -> set[str]:
    """The components of request bodies, in which the server overlooks what it does not know."""
    found: set[str] = set()
    pending = [operation.get("requestBody", {}) for path in document["paths"].values() for operation in path.values()]
    while pending:
        named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(pending.pop()))) - found
        found |= named
        pending.extend(document["components"]["schemas"][name] for name in named)
    return found


def close(schema: Any) -> None:
    """Admit no members but those that are named."""
    if isinstance(schema, list):
        for part in schema:
            close(part)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            close(part)


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    """It takes schemathesis three seconds of CPU to be imported."""
    fork_server = ForkServer(["schemathesis.cli"])
    yield fork_server
    fork_server.close()


@pytest.fixture
def ask(stack: Stack, tmp_path: Path, fork_server: ForkServer) -> Ask:
    """Runs schemathesis against the server, as one of the callers there can be."""
    tokens = {"principal": stack.principal_token, "service": stack.service_token}

    def run(document: Json, caller: Caller, *options: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "openapi.json"
        path.write_text(json.dumps(document))
        program = [sys.executable, str(SCHEMATHESIS), "--config-file", str(HERE / "openapi.toml")]
        words = ["run", str(path), "--url", stack.a.url, "--seed", SEED, "--max-examples", str(EXAMPLES), "--no-color"]
        words += ["--header", f"X-VX11-Token: {tokens[caller]}"] if caller in tokens else []
        return run_program(
            [*program, *words, *options],
            folder=tmp_path,
            environment=os.environ | {"SCHEMATHESIS_HOOKS": "tests.stack.openapi_hooks"},
            timeout_seconds=TIMEOUT_SECONDS,
            fork_server=fork_server,
        )

    return run


def phases_for(caller: Caller, size: Size) -> str:
    """Each size asks what the other does not: the code is the same, the database is not.

    The edges of all values are asked on PostgreSQL, whose columns have the narrower types; values at random, and what
    one answer leads to, on SQLite. `make fuzz` asks everything.
    """
    if caller == "nobody":
        # Nothing that is refused leads on to anything.
        return "examples,coverage,fuzzing"
    if size != "embedded":
        return "examples,coverage"
    return "examples,coverage,fuzzing,stateful" if ASKS_ALL else "examples,fuzzing,stateful"


@pytest.mark.timeout(TIMEOUT_SECONDS)
@pytest.mark.parametrize("caller", ["principal", "service", pytest.param("nobody", marks=pytest.mark.once)])
def test_what_the_document_says_holds_whoever_asks(caller: Caller, document: Json, ask: Ask, stack_size: Size) -> None:
    done = ask(document, caller, f"--phases={phases_for(caller, stack_size)}")
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
    operations = sum(len(path) for path in document["paths"].values())
    assert f"Tested: {operations}\n" in done.stdout


def hide_created(document: Json) -> None:
    del document["paths"]["/operator/api/events"]["post"]["responses"]["201"]


def hide_a_field(document: Json) -> None:
    page = document["components"]["schemas"]["EventPage"]
    page["required"].remove("total")
    del page["properties"]["total"]


def hide_a_field_of_a_frame(document: Json) -> None:
    connected = document["components"]["schemas"]["Connected"]
    connected["required"].remove("stream_id")
    del connected["properties"]["stream_id"]


def name_another_media_type(document: Json) -> None:
    answer = document["paths"]["/operator/api/window/status"]["get"]["responses"]["200"]
    answer["content"]["text/plain"] = answer["content"].pop("application/json")


def hide_a_header(document: Json) -> None:
    del document["paths"]["/health"]["get"]["responses"]["200"]["headers"]["X-Correlation-Id"]


def promise_a_header(document: Json) -> None:
    headers = document["paths"]["/ready"]["get"]["responses"]["200"]["headers"]
    headers["X-Promised"] = {"required": True, "schema": {"type": "string"}}


def take_longer_summaries(document: Json) -> None:
    document["components"]["schemas"]["Submission"]["properties"]["summary"]["maxLength"] += 1


def take_smaller_pages(document: Json) -> None:
    parameters = document["paths"]["/operator/api/events"]["get"]["parameters"]
    next(each for each in parameters if each["name"] == "limit")["schema"]["maximum"] -= 1


@pytest.mark.once
@pytest.mark.parametrize(
    ("lie", "caller", "operation", "complaint"),
    [
        (hide_created, "service", "publish", "Undocumented status code"),
        (hide_a_field, "principal", "poll", "Response violates schema"),
        (hide_a_field_of_a_frame, "principal", "stream", "SSE event violates schema"),
        (name_another_media_type, "principal", "window_status", "Undocumented Content-Type"),
        (hide_a_header, "nobody", "health", "headers that are not in the document: ['x-correlation-id']"),
        (promise_a_header, "nobody", "ready", "Missing required response headers"),
        (take_longer_summaries, "service", "publish", "Schema-valid request rejected"),
        (take_smaller_pages, "principal", "poll", "Schema-violating request accepted"),
    ],
)
def test_a_lie_in_the_document_is_found(
    lie: Callable[[Json], None], caller: Caller, operation: str, complaint: str, document: Json, ask: Ask
) -> None:
    lie(document)
    done = ask(document, caller, "--phases=coverage", "--max-failures=1", f"--include-operation-id={operation}")
    assert done.returncode == 1, done.stdout[-10_000:] + done.stderr[-2_000:]
    assert complaint in done.stdout
