"""What deploy/monitoring ships, as values: alerts, recording rules, panels, and the series that their queries name."""

import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.servers import ROOT

FOLDER = ROOT / "deploy" / "monitoring"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
RULE_TESTS = sorted((FOLDER / "rule-tests").glob("*.test.yml"))
DASHBOARD = FOLDER / "grafana" / "dashboards" / "vx11-operator.json"
SEVERITIES = frozenset({"page", "ticket"})
RUNBOOK_PREFIX = "{{ $externalLabels.runbooks }}"

_NAME = re.compile(r"(?<![\w:])([a-z_]+:[\w:]+|vx11_\w+|process_\w+|up)(\{[^}]*\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_QUOTED = re.compile(r'"[^"]*"')


@dataclasses.dataclass(frozen=True)
class Series:
    """A series as a query names it: `matchers` are label, operator and value."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


@functools.cache
def _rules() -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in _rules() if "alert" in rule]


def recorded() -> dict[str, str]:
    """Expressions of recording rules by name."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """Every expression of rules, panels and variables."""
    of_panels = [target["expr"] for panel in panels() for target in panel["targets"]]
    of_variables = [variable.get("definition", "") for variable in dashboard()["templating"]["list"]]
    return [rule["expr"] for rule in _rules()] + of_panels + of_variables


def series_of(query: str) -> Iterator[Series]:
    for found in _NAME.finditer(query):
        # A metric's name within a label's value is none.
        if any(quoted.start() < found.start() < quoted.end() for quoted in _QUOTED.finditer(query)):
            continue
        yield Series(found[1], tuple(_MATCHER.findall(found[2] or "")))


def all_series() -> set[Series]:
    return {series for query in queries() for series in series_of(query)}
