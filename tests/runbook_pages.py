"""The runbooks as programs: their commands, run by a shell as somebody on call would run them."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.forked_python import forked_python
from tests.http_stand_in import HttpStandIn
from tests.servers import ROOT, RunningServer
from tests.stacks import Stack

FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))
SHELL = ("bash", "-euo", "pipefail", "-c")
TIMEOUT_SECONDS = 120
_BLOCK = re.compile(r"^```sh\n(?P<commands>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (?P<words>.+)$", re.MULTILINE)
# What the services of a host are told by: each calls the test, which does it.
STAND_IN = '#!/bin/sh\nexec curl -sS --fail-with-body -G "{url}/$(basename "$0")" --data-urlencode "words=$*"\n'


def text(page: str) -> str:
    return (FOLDER / page).read_text(encoding="utf-8")


def anchors(page_text: str) -> set[str]:
    """As forges make them: lower case, words joined by hyphens, no punctuation."""
    words = (match["words"].lower() for match in _HEADING.finditer(page_text))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in words}


def section(page: str, heading: str) -> str:
    """What stands below this heading, up to the next one."""
    _, _, rest = text(page).partition(f"\n## {heading}\n")
    assert rest, f"{page} has no section {heading}"
    return rest.partition("\n## ")[0] + "\n"


def blocks(page_text: str) -> list[tuple[str, list[str]]]:
    """Commands, and the lines that the page says they print."""
    return [(found["commands"], (found["output"] or "").splitlines()) for found in _BLOCK.finditer(page_text)]


def run(page_text: str, environment: Mapping[str, str], *, check: bool = True, folder: Path = ROOT) -> str:
    """Runs the page's commands in one shell, after those that the index says to begin with; gives what they print.

    Unchecked, a command that fails keeps nothing after it from being run: so look people at what is broken.
    """
    begin = section("README.md", "Before you begin")
    commands = "\n".join(commands for commands, _ in blocks(begin) + blocks(page_text))
    commands = commands if check else f"set +e\n{commands}"
    # The one that `host_of` has put into PATH.
    commands = commands.replace(".venv/bin/python", "python")
    done = subprocess.run(
        [*SHELL, commands],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert not check or done.returncode == 0, f"{commands}\n---\n{done.stdout}\n---\n{done.stderr}"
    missing = [line for _, output in blocks(page_text) for line in output if line not in done.stdout]
    assert not check or not missing, f"not printed: {missing}\n---\n{done.stdout}"
    return done.stdout + done.stderr


@contextmanager
def host_of(stack: Stack, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody signed in where the stack runs, with stand-ins for what starts services there."""
    settings = folder / "settings.env"
    with _services(stack.servers, settings) as url:
        programs = folder / "programs"
        programs.mkdir()
        for name in ("systemctl", "kubectl", "nginx"):
            (programs / name).write_text(STAND_IN.format(url=url))
            (programs / name).chmod(0o755)
        with forked_python(programs / "python"):
            yield {
                **stack.a.environment,
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "VX11_URL": stack.a.url,
                "PREVIOUS": "HEAD",
                "SETTINGS": str(settings),
                "BLOCKED": str(folder / "blocked.conf"),
            }


@contextmanager
def _services(servers: Sequence[RunningServer], settings: Path) -> Iterator[str]:
    """`systemctl restart vx11-operator@800N` restarts the stack's server N; `kubectl` must name what deploy/ has."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            words = dict(parse_qsl(address.query))["words"].split()
            try:
                _serve(address.path.strip("/"), words, servers, settings)
            except (AssertionError, LookupError, ValueError) as error:
                self._answer(400, f"{type(error).__name__}: {error}")
            else:
                self._answer(200, "done")

        def _answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    with HttpStandIn(Handler) as services:
        yield services.address


def _serve(program: str, words: list[str], servers: Sequence[RunningServer], settings: Path) -> None:
    if program == "nginx":
        assert words == ["-t"], "no page asks nginx for more"
    elif words == ["reload", "nginx"]:
        assert program == "systemctl"
    elif program == "systemctl":
        action, unit = words
        template, _, instance = unit.partition("@")
        assert action == "restart", "no page says more than restart"
        assert (ROOT / "deploy" / "systemd" / f"{template}@.service").is_file(), f"{template} is not in deploy/systemd"
        # An embedded stack has one server where a host has two.
        server = servers[(int(instance) - 8001) % len(servers)]
        if settings.exists():
            server.environment |= dict(line.split("=", 1) for line in settings.read_text().splitlines())
        server.restart()
    else:
        assert words[:3] == ["-n", "vx11-operator", "rollout"], words
        assert words[3] in ("undo", "status", "restart"), words
        kind, name = words[4].split("/")
        manifests = "\n---\n".join(path.read_text() for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml"))
        found = (one for one in manifests.split("\n---\n") if f"\nkind: {kind.title()}\n" in f"\n{one}")
        assert any(f"\n  name: {name}\n" in one for one in found), f"{words[4]} is not in deploy/kubernetes"
