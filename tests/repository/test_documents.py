"""Documents say what is there, and all of it."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from events import metrics as events_metrics
from gateway import metrics as gateway_metrics
from operator_api import gauges
from tests.apps import APPS
from tests.repository import tree
from tests.repository.tree import ROOT
from tests.runbook_pages import anchors
from vx11_site import __version__
from vx11_site.config.environment import VARIABLES
from vx11_site.server import daphne

# Of django-prometheus, what this program uses: docs/adr/0024.
OURS = ("vx11_", "django_db_", "django_migrations_")
VARIABLE_NAME = re.compile(r"\bVX11_[A-Z0-9_]*[A-Z0-9]\b")


def known_variables() -> set[str]:
    return {variable.name for variable in VARIABLES} | {
        f"{variable.name}_FILE" for variable in VARIABLES if variable.secret
    }


def test_every_setting_is_documented() -> None:
    documented = set(VARIABLE_NAME.findall((ROOT / "docs/settings.md").read_text()))
    assert {variable.name for variable in VARIABLES} - documented == set()


@pytest.mark.parametrize("path", [path for path in tree.files() if path.suffix == ".md"], ids=str)
def test_every_setting_a_document_names_exists(path: Path) -> None:
    # The left side of that page names those of another program; its right side has a test of its own.
    if path == Path("docs/from-vx11.md"):
        return
    assert set(VARIABLE_NAME.findall((ROOT / path).read_text())) - known_variables() == set()


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    collectors = set(REGISTRY._collector_to_names)
    exist = {
        f"{metric._name}_total" if isinstance(metric, Counter) else metric._name
        for metric in collectors
        if isinstance(metric, Counter | Gauge | Histogram) and metric._name.startswith(OURS)
    }
    # Whether the modules are loaded that have them.
    assert {events_metrics.LOG_HEAD, gateway_metrics.LIMITED, gauges.BUILD, daphne.CONNECTIONS} <= collectors
    rows = [line for line in (ROOT / "docs/metrics.md").read_text().splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`((?:vx11|django)_[a-z0-9_]+)`", row.split("|")[1])} == exist
    whole = (ROOT / "docs/metrics.md").read_text()
    assert {name.removesuffix("_bucket") for name in re.findall(r"\b(?:vx11|django)_[a-z0-9_]+", whole)} == exist


def test_there_is_one_version_number() -> None:
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"]
    assigned = [
        path
        for path, text in tree.texts().items()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        and target.id in ("__version__", "VERSION")
        and isinstance(node.value, ast.Constant)
    ]
    assert [str(path) for path in assigned] == ["vx11_site/__init__.py"]


def test_the_changelog_knows_the_version() -> None:
    assert re.search(rf"^## \[?{re.escape(__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_a_document_names_exists(document: str) -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)\b", "\n".join(code_of((ROOT / document).read_text()))))
    listed = subprocess.run(["make", "help"], check=True, cwd=ROOT, capture_output=True, text=True).stdout
    assert named
    assert named - set(re.findall(r"^ *make ([a-z-]+)", listed, re.MULTILINE)) == set()


def code_of(markdown: str) -> list[str]:
    """What stands between back-ticks, in lines and in blocks."""
    return re.findall(r"```.*?```|`[^`\n]+`", markdown, re.DOTALL) + re.findall(r"^ {4}.*$", markdown, re.MULTILINE)


@pytest.mark.parametrize("path", [path for path in tree.files() if path.suffix == ".md"], ids=str)
def test_every_link_of_a_document_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", (ROOT / path).read_text())
    assert [link for link in links if not (ROOT / path.parent / link).exists()] == []


@pytest.mark.parametrize("path", [path for path in tree.files() if path.suffix == ".md"], ids=str)
def test_every_link_of_a_document_to_a_heading_leads_to_one(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)", (ROOT / path).read_text())
    wanted = [(ROOT / path.parent / page if page else ROOT / path, anchor) for page, anchor in links]
    assert [f"{page}#{anchor}" for page, anchor in wanted if anchor not in anchors(page.read_text())] == []


def doors() -> dict[Path, str]:
    """The docstring of each package of the apps that has one, in one line."""
    packages = {
        path: text for path, text in tree.texts().items() if path.name == "__init__.py" and path.parts[0] in APPS
    }
    found = {path: ast.get_docstring(ast.parse(text)) for path, text in packages.items()}
    return {path: " ".join(text.split()) for path, text in found.items() if text}


def test_every_section_and_decision_that_a_door_names_exists() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    decisions = {int(path.name[:4]) for path in (ROOT / "docs/adr").glob("*.md")}
    named = [
        (path, section)
        for path, text in doors().items()
        for sections in re.findall(r"See ([^.]*) in docs/architecture\.md", text)
        for section in re.findall(r'"([^"]+)"', sections)
    ]
    assert len(named) > 5
    assert [(str(path), section) for path, section in named if section not in headings] == []
    numbers = [(path, int(number)) for path, text in doors().items() for number in re.findall(r"\bADR (\d+)", text)]
    assert [(str(path), number) for path, number in numbers if number not in decisions] == []


def test_the_map_of_the_architecture_names_every_room() -> None:
    whole = (ROOT / "docs/architecture.md").read_text()
    rooms = [path.parent for path in doors() if len(path.parts) == 3]
    assert [str(room) for room in rooms if f"`{room.name}`" not in whole] == []
