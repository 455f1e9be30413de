"""What stands for `.venv/bin/python` in the commands of pages: for a shell it is that interpreter."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fork_server import LIBRARIES
from tests.forked_python import forked_python
from tests.waiting import wait_until

SAYS = "import json, os, sys; print(json.dumps([sys.argv, os.getcwd(), os.environ['GIVEN'], sys.stdin.read()]))"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with forked_python(tmp_path / "python"):
        yield tmp_path


def shell(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GIVEN": "here", "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", commands], cwd=folder, env=environment, capture_output=True, text=True, timeout=30
    )


def test_a_program_has_what_the_shell_gives_it_and_is_a_fork(folder: Path) -> None:
    (folder / "says.py").write_text(f"{SAYS}\nassert '{LIBRARIES[-1]}' in sys.modules")
    done = shell("echo said | python says.py 'one two' | sed 's/^/read: /'", folder)
    assert done.stdout == f'read: [["says.py", "one two"], "{folder}", "here", "said\\n"]\n', done.stderr


def test_code_in_the_command_line_is_run_too(folder: Path) -> None:
    assert shell("""python -c 'import sys; print(sys.executable)'""", folder).stdout == f"{sys.executable}\n"


@pytest.mark.parametrize(
    ("program", "code"),
    [("", 0), ("import sys; sys.exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 128 + signal.SIGKILL)],
)
def test_it_ends_as_what_it_runs(folder: Path, program: str, code: int) -> None:
    (folder / "ends.py").write_text(program)
    assert shell("python ends.py; echo $?", folder).stdout == f"{code}\n"


def test_a_reader_that_ends_first_is_noticed(folder: Path) -> None:
    (folder / "many.py").write_text("while True: print('line')")
    assert shell("set -o pipefail; python many.py 2>/dev/null | head -n 1; echo $?", folder).stdout == "line\n1\n"


def test_what_it_runs_ends_with_it(folder: Path) -> None:
    (folder / "waits.py").write_text("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    started = "python waits.py > pid & until [ -s pid ]; do sleep 0.05; done; kill $!; cat pid"
    pid = int(shell(started, folder).stdout)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "what it ran has ended")


def test_what_still_runs_at_the_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    with forked_python(tmp_path / "python") as python:
        process = subprocess.Popen([python, "waits.py"], cwd=tmp_path, stdout=subprocess.PIPE)
        assert process.stdout is not None
        pid = int(process.stdout.readline())
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()
    assert not Path(f"/proc/{pid}").exists()


def test_what_it_writes_may_go_into_a_pipe_though_the_test_runs_output_is_a_file(folder: Path) -> None:
    # Python asks once whether the output can be set to another place, and does so when its encoding is changed.
    (folder / "changes.py").write_text("import sys; sys.stdout.reconfigure(errors='replace'); print('said')")
    done = shell("python changes.py | cat", folder)
    assert (done.stdout, done.stderr) == ("said\n", "")
