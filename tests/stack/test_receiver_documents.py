"""docs/feeding: each command of the receivers' pages is taken as it stands, and becomes the event that is shown."""

import json
import os
import re
import subprocess

import pytest

from tests.client import Json
from tests.conftest import OwnStack
from tests.servers import ROOT
from tests.stacks import Stack

pytestmark = pytest.mark.once

PAGES = ("otlp", "loki", "cloudevents", "alertmanager", "json")
EXAMPLE = re.compile(r"```sh\n(.*?)```\n\n```json\n(.*?)```", re.DOTALL)


def examples() -> dict[str, tuple[str, Json]]:
    """The commands with their events, by page and number."""
    found: dict[str, tuple[str, Json]] = {}
    for page in PAGES:
        text = (ROOT / f"docs/feeding/{page}.md").read_text(encoding="utf-8")
        commands = re.findall(r"```sh\n", text)
        pairs = EXAMPLE.findall(text)
        assert len(pairs) == len(commands) > 0, page
        found |= {f"{page} {number}": (command, json.loads(event)) for number, (command, event) in enumerate(pairs)}
    return found


@pytest.fixture
def stack(own_stack: OwnStack) -> Stack:
    return own_stack()


def test_each_example_becomes_the_event_that_the_page_shows(stack: Stack) -> None:
    client = stack.client(stack.principal_token)
    environment = {"PATH": os.environ["PATH"], "VX11_URL": stack.a.url, "VX11_SERVICE_TOKEN": stack.service_token}
    for name, (command, wanted) in examples().items():
        before = client.cursor()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (name, done.stderr)
        (event,) = client.polled(since=before)["events"]
        shown = {field: event[field] for field in wanted}
        if shown.get("occurred_at"):
            shown["occurred_at"] = re.sub(r"\.000+Z", "Z", shown["occurred_at"])
        assert shown == wanted, name
