"""The pages of docs/feeding: their blocks, and a folder in which their commands run as they stand there."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.forked_python import forked_python
from tests.servers import ROOT
from tests.stacks import Stack

FOLDER = ROOT / "docs" / "feeding"
JOURNAL = ROOT / "tests" / "data" / "journal.ndjson"
# What the pages' programs say here, where there is no journal and no other machine.
PROGRAMS = {
    # Each time another journal, as an entry is one event, however often it is sent.
    "journalctl": f"""case "$*" in
        *--lines=1*) ;;
        *) echo "$*" >> journalctl-words; sed s/s=/s=$$/ {JOURNAL};;
    esac""",
    "ssh": """shift; exec "$@" """,
    "vx11-operator": """test "$1" = manage; shift; exec python manage.py "$@" """,
}


def blocks(page: str, language: str) -> list[str]:
    text = (FOLDER / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(page: str, language: str, words: str = "") -> str:
    """The one block of the page that holds these words."""
    (found,) = (text for text in blocks(page, language) if words in text)
    return found


def of_module(text: str, module: str) -> str:
    """Events of tests are found by their module."""
    return re.sub(r"--module [\w-]+", f"--module {module}", text)


@contextlib.contextmanager
def command_folder(folder: Path) -> Iterator[Path]:
    """Where the commands run: a checkout, as far as they see, with the programs that they name."""
    (folder / "manage.py").symlink_to(ROOT / "manage.py")
    (folder / "bin").mkdir()
    for name, script in PROGRAMS.items():
        add_program(folder, name, f"#!/bin/sh\n{script}\n")
    with forked_python(folder / "bin" / "python"):
        yield folder


def add_program(folder: Path, name: str, script: str) -> None:
    (folder / "bin" / name).write_text(script)
    (folder / "bin" / name).chmod(0o755)


@contextlib.contextmanager
def running(command: str, folder: Path, stack: Stack, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in a shell of its own, which writes to `stderr`. What it still runs at the end is ended."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with (
        (folder / "stderr").open("ab") as errors,
        subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", command.replace(".venv/bin/python", "python")],
            cwd=folder,
            env=stack.a.environment | {"VX11_URL": stack.a.url, "PATH": path} | environment,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        ) as shell,
    ):
        try:
            yield shell
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGTERM)


def run(
    command: str, folder: Path, stack: Stack, *, code: int = 0, environment: Mapping[str, str] | None = None
) -> None:
    """Until it ends with that code."""
    with running(command, folder, stack, **(environment or {})) as shell:
        shell.wait(40)
    assert shell.returncode == code, (folder / "stderr").read_text()
