"""The fork server of the tests: what it starts is, for all that tests can see, a program of its own."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.processes import FORK_SERVER, OwnProcess, parent_of, run_program
from tests.waiting import wait_until

TELLS = """
import json, os, sys
PACKAGES = ("gateway", "events", "operator_api", "ledger")
loaded = {name.partition(".")[0] for name in sys.modules}
told = {"arguments": sys.argv, "folder": os.getcwd(), "environment": dict(os.environ), "session": os.getsid(0)}
told |= {"name": __name__, "ours": sorted(loaded & {"vx11_site", "vx11_client", *PACKAGES})}
told |= {"beside": __import__("beside").WHERE, "libraries": "django" in loaded}
told |= {"input": sys.stdin.read(), "pid": os.getpid()}
print(json.dumps(told))
"""
WAITS = "import time; print('waits', flush=True); time.sleep(60)"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WHERE = __file__")
    return tmp_path / "script.py"


def environment(**more: str) -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("DJANGO_")} | more


def test_a_program_has_its_arguments_folder_input_and_environment_and_nothing_of_ours(
    script: Path, tmp_path: Path
) -> None:
    script.write_text(TELLS)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    given = environment(VX11_SOMETHING="here")
    command = [sys.executable, str(script), "one", "two"]
    assert FORK_SERVER.can_start(command, given)
    done = run_program(command, folder=folder, environment=given, stdin="said", timeout_seconds=20)
    told = json.loads(done.stdout)
    assert told["arguments"] == [str(script), "one", "two"]
    assert (told["folder"], told["input"], told["name"]) == (str(folder), "said", "__main__")
    assert told["environment"] == given
    assert told["beside"] == str(tmp_path / "beside.py")
    assert (told["libraries"], told["ours"]) == (True, [])
    assert told["session"] == told["pid"]


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('no more')", 1, "no more\n"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
    ],
)
def test_a_program_ends_as_one_of_its_own_would(
    script: Path, tmp_path: Path, program: str, code: int, said: str
) -> None:
    script.write_text(program)
    command = [sys.executable, str(script)]
    done = run_program(command, folder=tmp_path, environment=environment(), stdin="", timeout_seconds=20)
    assert done.returncode == code
    assert said in done.stderr
    assert "fork_server.py" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_program_that_runs_is_a_child_of_the_test_and_hears_its_signals(
    script: Path, tmp_path: Path, number: signal.Signals
) -> None:
    script.write_text(WAITS)
    process = OwnProcess(tmp_path / "log")
    process.start([sys.executable, str(script)], folder=tmp_path, environment=environment())
    wait_until(lambda: "waits" in process.log(), "it runs")
    assert process.running
    assert parent_of(process.pid) == os.getpid()
    # Python turns SIGINT into an exception, and then ends by the signal.
    assert process.end(number) == -number
    assert not process.running


@pytest.mark.parametrize(
    "command", [["prlimit", "--nofile=9", sys.executable, "manage.py"], [sys.executable, "-m", "vx11_site"]]
)
def test_what_is_no_script_for_this_interpreter_is_started_by_itself(command: list[str]) -> None:
    assert not FORK_SERVER.can_start(command, environment())


def test_an_environment_that_changes_the_interpreter_gets_one_of_its_own(script: Path, tmp_path: Path) -> None:
    script.write_text("import sys, beside_it; print('django' in sys.modules)")
    path = tmp_path / "path"
    path.mkdir()
    (path / "beside_it.py").touch()
    given = environment(PYTHONPATH=str(path))
    done = run_program([sys.executable, str(script)], folder=tmp_path, environment=given, stdin="", timeout_seconds=20)
    assert (done.stdout, done.returncode) == ("False\n", 0)
