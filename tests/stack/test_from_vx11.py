"""docs/from-vx11.md: what stands on the right of its tables is there, and does what the page says."""

import re
from pathlib import Path

import pytest

from tests import runbook_pages
from tests.client import Client
from tests.conftest import OwnStack
from tests.monitoring import shipped
from tests.repository import tree
from tests.runbook_pages import anchors
from tests.servers import ROOT
from tests.stacks import Stack
from vx11_site.config.environment import VARIABLES

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]

PAGE = (ROOT / "docs" / "from-vx11.md").read_text(encoding="utf-8")
_CODE = re.compile(r"`([^`]+)`")
_ASKED = re.compile(r"(GET|POST) (\S+) → (\d{3})(?: (\w+))?(?: \((no token|wrong token)\))?")
_SECRET = re.compile(r"vx11[ps]_[A-Za-z0-9_-]{16,}")
# How many rows each table has at the least: the documents have so many things of that kind.
ROWS_MIN = {
    "Commands": 20,
    "Paths": 16,
    "Settings": 14,
    "Metrics": 14,
    "Alerts": 14,
    "Names": 22,
    "Procedures": 22,
    "What is deliberately different, and why": 24,
}


def rows(heading: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert lines, heading
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]


def right(heading: str) -> list[str]:
    """The right cells; in the table of differences, the one before the reason."""
    return [cells[2] if len(cells) == 4 else cells[1] for cells in rows(heading)]


def codes(heading: str) -> list[str]:
    return [code for cell in right(heading) for code in _CODE.findall(cell)]


def asked(heading: str) -> list[tuple[str, ...]]:
    """Requests and what they are answered, out of a table."""
    return [found.groups(default="") for cell in right(heading) for found in _ASKED.finditer(cell)]


@pytest.mark.parametrize("heading", ROWS_MIN)
def test_the_tables_are_whole(heading: str) -> None:
    found = rows(heading)
    assert len(found) >= ROWS_MIN[heading]
    widths = {len(cells) for cells in found}
    assert widths == {4 if heading.startswith("What") else 2}
    assert all(cell for cells in found for cell in cells)


def commands() -> list[str]:
    return codes("Commands")


def test_every_command_on_the_right_runs(own_stack: OwnStack, tmp_path: Path) -> None:
    stack = own_stack()
    with runbook_pages.host_of(stack, tmp_path) as environment:
        # There is no journal here.
        journalctl = tmp_path / "programs" / "journalctl"
        journalctl.write_text("#!/bin/sh\ntest \"$*\" = '-u vx11-operator@* -n 50'\n")
        journalctl.chmod(0o755)
        environment["BASELINE"] = str(tmp_path / "baseline.json")
        found = commands()
        assert len(found) >= ROWS_MIN["Commands"]
        # One after the other in one shell, as a person does it; each must succeed.
        said = runbook_pages.run(block(found), environment)
    assert stack.principal_token not in said
    assert "data:" in said
    assert '"sse_token"' in said
    # Of the list of tokens that stands last, none is a text.
    assert not _SECRET.search(said.partition("public_id")[2].partition("\n\n")[2])


def block(found: list[str]) -> str:
    lines = "\n".join(found)
    return f"```sh\n{lines}\n```\n"


@pytest.fixture
def placeholders(stack: Stack, principal: Client) -> dict[str, str]:
    """What stands in braces on the page."""
    used = principal.ticket()
    assert stack.client(None).stream_status(token=used) == 200
    return {
        "{used}": used,
        "{token}": stack.issue_token("principal")[0],
        "{unknown}": "550e8400-e29b-41d4-a716-446655440000",
    }


@pytest.mark.parametrize("heading", ["Paths", "What is deliberately different, and why"])
def test_every_path_answers_what_the_page_says(
    stack: Stack, principal: Client, placeholders: dict[str, str], heading: str
) -> None:
    found = asked(heading)
    assert len(found) >= 8
    clients = {
        "": principal,
        "no token": stack.client(None),
        "wrong token": stack.client("vx11p_" + "x" * 43),
    }
    for method, path, status, reason, who in found:
        for name, value in {**placeholders, "{ticket}": principal.ticket()}.items():
            path = path.replace(name, value)
        assert "{" not in path
        answer = clients[who].request(method, path)
        assert answer.status_code == int(status), (method, path, who)
        if reason:
            assert answer.json()["reason"] == reason, (method, path, who)
        if "last_event_id=0ther" in path:
            assert "stream-reset" in answer.text


def test_every_setting_on_the_right_is_one_and_those_that_are_said_to_be_absent_are_none() -> None:
    known = {variable.name for variable in VARIABLES}
    documented = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for there, here in rows("Settings"):
        names = set(re.findall(r"\bVX11_\w+", here))
        if here.startswith("none: "):
            assert not known & (names | set(re.findall(r"\bVX11_\w+", there)))
            continue
        assert names, here
        assert names <= known
        assert all(f"`{name}`" in documented for name in names)
    assert not [name for name in known if "ALLOW_TOKEN" in name or "IN_QUERY" in name]


def test_every_metric_and_alert_on_the_right_is_there(principal: Client) -> None:
    text = principal.get("/metrics").text
    metrics = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    alerts = {alert["alert"] for alert in shipped.alerts()}
    named = codes("Metrics") + codes("Alerts")
    assert len(named) > 30
    assert [name for name in named if name not in metrics | alerts | set(shipped.recorded())] == []
    # The names that dashboards in the field ask for are the same on both sides.
    for there, here in rows("Metrics"):
        for name in re.findall(r"vx11_\w+", there):
            assert name.removesuffix("_bucket") in here


def test_every_name_on_the_right_is_a_module_a_file_or_a_word_of_the_program(principal: Client) -> None:
    modules = principal.get("/operator/api/modules").json()["modules"]
    program = "\n".join(
        text for path, text in tree.texts().items() if path.suffix in (".py", ".js") and path.parts[0] != "tests"
    )
    for cell in right("Names"):
        found = _CODE.findall(cell)
        if cell.startswith("module"):
            first = cell.partition(";")[0]
            assert set(_CODE.findall(first)) <= set(modules)
            found = _CODE.findall(cell.partition(";")[2])
        for name in found:
            known = (ROOT / name).exists() or name in program
            assert known, f"{name} is nowhere"


def test_every_word_of_the_differences_is_one_of_the_program() -> None:
    texts = tree.texts().items()
    program = "\n".join(text for path, text in texts if path.parts[0] != "tests" and path.suffix != ".md")
    words = [code for code in codes("What is deliberately different, and why") if "→" not in code]
    # What a page of a person's own calls it, and what is no word of ours.
    foreign = {"detail", "reason"}
    assert words
    assert [word for word in words if word not in foreign and word not in program and word not in METRICS] == []


METRICS = {name for name in re.findall(r"vx11_\w+", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"))}


def test_every_procedure_leads_to_a_page_that_tests_read() -> None:
    tests = "\n".join(text for path, text in tree.texts().items() if path.parts[0] == "tests" and path.suffix == ".py")
    run = {f"runbooks/{name}" for name in runbook_pages.PAGES}
    for cell in right("Procedures"):
        [(page, heading)] = re.findall(r"\]\(([\w./-]+\.md)#?([\w-]*)\)", cell)
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert not heading or heading in anchors(text)
        assert page in run or Path(page).name in tests, f"no test reads {page}"


def test_the_page_names_what_the_documents_name() -> None:
    """Kinds of things, so that none is forgotten when the page is rewritten."""
    there = "\n".join(cells[0] for heading in ROWS_MIN for cells in rows(heading) if not heading.startswith("What"))
    for word in (
        *("git rev-parse", "docker compose ps", "pytest", "docker stats", "kubectl rollout undo", "redis-cli KEYS"),
        *("/operator/api/events/sse-token", "/operator/api/events/stream", "/operator/api/v1/events", "/health"),
        *("REDIS_URL", "VX11_OPERATOR_PROXY_ENABLED", "PUBLIC_ENTRY_POINTS", "tokens.env", "localStorage"),
        *("HighPrincipalTokenUsageInSSE", "vx11_ephemeral_token_cache_size_entries", "up{job="),
        *("EventsPanel.tsx", "docker-compose.full-test.yml", "SCORECARD.json", "block IP", "escalation path"),
    ):
        assert word in there, word
