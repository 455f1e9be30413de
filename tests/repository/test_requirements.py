"""Requirements: exact, each with its reason, and the lock files are made from them."""

import re

import pytest

from tests.repository.tree import ROOT

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)$")


def pins(name: str) -> dict[str, str]:
    """Versions by normalised name."""
    lines = (ROOT / name).read_text().splitlines()
    found = (PIN.match(line.split(";")[0].removesuffix("\\").strip()) for line in lines)
    return {re.sub("[-_.]+", "-", match[1]).lower(): match[2] for match in found if match}


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-tracing.txt", "requirements-dev.txt", "requirements-bench.txt"]
)
def test_every_requirement_is_pinned_and_stands_under_a_comment(name: str) -> None:
    explained = False
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("#"):
            explained = True
        elif not line:
            explained = False
        elif not line.startswith("-r "):
            assert PIN.match(line), f"{line} is not pinned"
            assert explained, f"{line} has no comment above it"


@pytest.mark.parametrize("name", ["requirements", "requirements-tracing", "requirements-dev", "requirements-bench"])
def test_the_lock_file_is_made_from_the_requirements(name: str) -> None:
    required, locked = pins(f"{name}.txt"), pins(f"{name}.lock")
    assert required
    assert {package: locked.get(package) for package in required} == required


@pytest.mark.parametrize("name", ["requirements-tracing.lock", "requirements-dev.lock", "requirements-bench.lock"])
def test_checks_tests_and_benchmarks_run_on_what_the_server_runs_on(name: str) -> None:
    runtime, on_top = pins("requirements.lock"), pins(name)
    assert {package: on_top.get(package) for package in runtime} == runtime


@pytest.mark.parametrize(
    "name",
    [f"{name}.lock" for name in ("requirements", "requirements-tracing", "requirements-dev", "requirements-bench")],
)
def test_every_locked_package_has_hashes_and_no_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = [block for block in re.split(r"\n(?=[A-Za-z0-9])", text) if PIN.match(block.split(" ")[0])]
    assert len(blocks) >= len(pins(name)) > 0
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text
