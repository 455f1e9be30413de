"""What a server, or this process, says of itself in /metrics."""

import re
from collections.abc import Callable

from prometheus_client import REGISTRY

from tests.client import Client

LINE = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$")


def figures(client: Client) -> dict[str, float]:
    """Values by name and labels, as they are printed."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    found = [LINE.match(line) for line in answer.text.splitlines() if not line.startswith("#")]
    return {f"{match[1]}{match[2] or ''}": float(match[3]) for match in found if match}


def metric(client: Client, name: str) -> float:
    """One of them, named with its labels; 0 while there is none, as is so before it is first counted."""
    return figures(client).get(name, 0.0)


def here(name: str, **labels: str) -> float:
    """A figure of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counting(name: str, **labels: str) -> Callable[[], float]:
    """By how much a figure of this process has grown since now."""
    before = here(name, **labels)
    return lambda: here(name, **labels) - before
