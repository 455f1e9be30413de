"""manage.py doctor --baseline: the figures of a running server, kept and compared."""

import json
from pathlib import Path
from typing import Any

from tests.stacks import Stack
from vx11_site.smoke.baseline import FIGURES


def scorecard(stack: Stack, path: Path, *words: str, exit_code: int = 0) -> list[dict[str, Any]]:
    done = stack.a.run_manage("doctor", "--json", "--url", stack.a.url, "--baseline", str(path), *words)
    assert done.returncode == exit_code, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert stack.principal_token not in done.stdout
    # With all that the doctor says by itself.
    assert {"database", "tickets", "scorecard"} <= {finding["area"] for finding in report["findings"]}
    return [finding for finding in report["findings"] if finding["area"] == "scorecard"]


def test_the_first_run_writes_the_figures_and_the_next_one_compares_with_them(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    first = scorecard(stack, path)
    assert "written to" in first[-1]["found"]
    assert len(first) == len(FIGURES) + 1
    kept = json.loads(path.read_text())
    assert kept["url"] == stack.a.url
    assert kept["figures"]["ticket_p95"] > 0
    assert stack.principal_token not in path.read_text()

    again = scorecard(stack, path)
    assert len(again) == len(FIGURES)
    assert all(", was " in finding["found"] for finding in again if "not known" not in finding["found"])
    assert json.loads(path.read_text()) == kept
    # What was much better once is named, with a page to read on.
    kept["figures"] |= {"memory": -500}
    path.write_text(json.dumps(kept))
    [memory] = [finding for finding in scorecard(stack, path) if finding["found"].startswith("memory")]
    assert memory["level"] == "WARN"
    assert "was -500: worse than the baseline" in memory["found"]
    assert memory["repair"] == "docs/runbooks/slow.md#the-process"


def test_a_server_that_does_not_answer_and_a_file_that_is_none_are_findings(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    [finding] = scorecard(stack, path, "--url", "http://127.0.0.1:1", exit_code=1)
    assert finding["level"] == "FAIL"
    assert "cannot be measured" in finding["found"]
    assert not path.exists()
    path.write_text("no figures")
    [finding] = scorecard(stack, path, exit_code=1)
    assert "Remove it" in finding["repair"]


def test_without_a_token_it_says_what_is_missing(stack: Stack, tmp_path: Path) -> None:
    done = stack.a.run_manage("doctor", "--baseline", str(tmp_path / "b.json"), "--token-file", str(tmp_path / "none"))
    assert done.returncode != 0
    assert not (tmp_path / "b.json").exists()
