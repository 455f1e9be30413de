"""What `make audit` says of what pip-audit says: a finding fails, and silence is never called passed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repository.tree import ROOT

FINE = {"name": "fine", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-2026-1"}, {"id": "CVE-2026-2"}]}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def audit(folder: Path, *, out: str, err: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    """The target's script, with a program in pip-audit's place that says this."""
    program = folder / "pip-audit"
    (folder / "out").write_text(out)
    (folder / "err").write_text(err)
    program.write_text(f"#!/bin/sh\ncat '{folder}/out'\ncat '{folder}/err' >&2\nexit {code}\n")
    program.chmod(0o700)
    return run(str(program))


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ".ci/audit-requirements", program, "requirements.lock"]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=30)


def said(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_packages_without_a_vulnerability_are_counted(tmp_path: Path) -> None:
    done = audit(tmp_path, out=said(FINE, FINE))
    assert (done.returncode, done.stdout) == (0, "pip-audit: 2 packages without a known vulnerability\n")


def test_a_vulnerability_fails_and_is_named(tmp_path: Path) -> None:
    done = audit(tmp_path, out=said(FINE, BAD, SKIPPED), code=1)
    assert (done.returncode, done.stdout) == (1, "pip-audit: bad 2.0 is vulnerable: PYSEC-2026-1, CVE-2026-2\n")


@pytest.mark.parametrize(
    ("out", "err"),
    [
        # What it says without network, though it exits with 0 and finds no vulnerability.
        (said(SKIPPED, SKIPPED), "No known vulnerabilities found"),
        (said(), "No known vulnerabilities found"),
        ("", "ConnectionError: no route to host"),
        ("", ""),
    ],
)
def test_where_nobody_could_be_asked_nothing_has_passed(tmp_path: Path, out: str, err: str) -> None:
    done = audit(tmp_path, out=out, err=err)
    assert done.returncode == 0
    assert done.stdout.startswith("pip-audit: not run (")
    assert "without a known vulnerability" not in done.stdout


def test_packages_that_could_not_be_asked_about_are_named(tmp_path: Path) -> None:
    done = audit(tmp_path, out=said(FINE, SKIPPED))
    assert "1 packages without a known vulnerability" in done.stdout
    assert "not run for 1 packages: unknown" in done.stdout


def test_a_machine_without_pip_audit_says_so(tmp_path: Path) -> None:
    done = run(str(tmp_path / "pip-audit"))
    assert (done.returncode, done.stdout) == (0, "pip-audit: not run (it is not installed)\n")
