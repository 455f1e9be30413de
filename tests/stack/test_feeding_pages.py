"""docs/feeding: the commands, scripts and configurations of its pages do what they say, as they stand there."""

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.client import Client
from tests.processes import OwnProcess, accepts_connections, free_port
from tests.servers import ROOT
from tests.stack.feeding_pages import FOLDER, add_program, block, blocks, command_folder, of_module, run, running
from tests.stack.module_log import stored, summaries
from tests.stack.syslog_receiver import SyslogReceiver
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.once
NGINX_TEMPLATE = """
daemon off;
pid {folder}/pid;
error_log {folder}/start.log;
events {{ }}
http {{
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    {block}
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 204; }}
        location /broken {{ proxy_pass http://127.0.0.1:{closed}; }}
    }}
}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with command_folder(tmp_path) as made:
        yield made


def write_until_stored(path: Path, line: str, principal: Client, module: str) -> None:
    """`--follow` shows what is added once it has begun."""

    def is_stored() -> bool:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        return bool(summaries(principal, module))

    wait_until(is_stored, "the file is followed", timeout_seconds=20, pause_seconds=0.3)


def test_the_index_has_every_page_and_every_page_is_plain_about_what_was_run() -> None:
    index = (FOLDER / "README.md").read_text()
    pages = {path.name for path in FOLDER.glob("*.md")} - {"README.md"}
    ours = {"syslog", "files", "journald", "docker", "kubernetes", "nginx", "python", "django", "celery", "cron"}
    assert {f"{name}.md" for name in ours | {"github-actions", "vector", "fluent-bit"}} <= pages
    for page in pages:
        assert f"({page})" in index, page
        assert re.search(r"\btests\b", (FOLDER / page).read_text(), re.IGNORECASE), page


def test_files_that_are_followed(folder: Path, stack: Stack, principal: Client, marker: str) -> None:
    log = folder / "app.log"
    log.write_text("from before\n")
    command = of_module(block("files.md", "sh", "--follow"), marker).replace("/var/log/app", str(folder))
    with running(command, folder, stack):
        write_until_stored(log, "ERROR no disk", principal, marker)
        log.rename(folder / "app.log.1")
        log.write_text("WARN after rotation\n")
        wait_until(lambda: "WARN after rotation" in summaries(principal, marker), "the new file")
    assert {event["severity"] for event in stored(principal, marker)} == {"error", "warn"}


def test_a_file_of_an_earlier_day(folder: Path, stack: Stack, principal: Client, marker: str) -> None:
    (folder / "yesterday.log.gz").write_bytes(gzip.compress(b"ERROR no disk\n"))
    for _ in range(2):
        run(of_module(block("files.md", "sh", "yesterday"), marker), folder, stack)
    assert summaries(principal, marker) == ["ERROR no disk"]


def test_the_unit_of_systemd_is_right_and_its_command_is_one(tmp_path: Path) -> None:
    unit = tmp_path / "vx11-app-log.service"
    text = block("files.md", "ini")
    words = shlex.split(re.findall(r"ExecStart=(.*?[^\\])\n", text, re.DOTALL)[0].replace("\\\n", ""))
    unit.write_text(text.replace("/usr/local/bin/vx11-operator", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    parsed = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words[2:], "--help"], capture_output=True, text=True, check=False
    )
    assert "usage:" in parsed.stdout
    assert all(word in parsed.stdout for word in words if word.startswith("--"))


@pytest.mark.parametrize("words", ["--journal --follow", "--unit", "ssh"])
def test_the_journal(folder: Path, stack: Stack, principal: Client, marker: str, words: str) -> None:
    command = of_module(next(text for text in blocks("journald.md", "sh") if words in text), marker)
    run(command, folder, stack)
    assert [event["severity"] for event in stored(principal, marker)] == ["info", "warn", "error", "critical"]
    if words == "--unit":
        assert "--unit=nginx.service --unit=ssh.service" in (folder / "journalctl-words").read_text()


class Nginx:
    """nginx with lines of the page in its `http` block, for the length of a `with` block."""

    def __init__(self, folder: Path, lines: str) -> None:
        self.port = free_port()
        (folder / "nginx.conf").write_text(
            NGINX_TEMPLATE.format(folder=folder, block=lines, port=self.port, closed=free_port())
        )
        self._folder = folder
        self._process = OwnProcess(folder / "nginx.log")

    def __enter__(self) -> "Nginx":
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
        words = [program, "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")]
        self._process.start(words, folder=self._folder, environment={})
        wait_until(lambda: accepts_connections(self.port), f"nginx: {self._process.log_tail()}")
        return self

    def __exit__(self, *reason: object) -> None:
        self._process.end()

    def ask(self) -> None:
        assert httpx2.get(f"http://127.0.0.1:{self.port}/page?secret=1").status_code == 204
        assert httpx2.get(f"http://127.0.0.1:{self.port}/broken").status_code == 502


def assert_of_nginx(events: list[dict]) -> None:
    by_summary = {event["summary"]: event for event in events}
    assert by_summary["GET /page 204"]["payload"]["method"] == "GET"
    assert by_summary["GET /broken 502"]["payload"]["status"] == 502
    [error] = [event for event in events if "Connection refused" in event["summary"]]
    assert error["severity"] == "error"
    assert "secret" not in json.dumps(events)


def test_nginx_by_syslog(tmp_path: Path, stack: Stack, principal: Client, marker: str) -> None:
    with SyslogReceiver(tmp_path, stack.a.environment, "--module", marker, url=stack.a.url) as receiver:
        lines = block("nginx.md", "nginx", "log_format").replace("5514", str(receiver.ports["udp"]))
        with Nginx(tmp_path, lines) as nginx:
            nginx.ask()
            wait_until(lambda: len(stored(principal, marker)) >= 3, "access and errors")
    events = stored(principal, marker)
    assert_of_nginx(events)
    assert {event["payload"]["syslog"]["app"] for event in events} == {"nginx"}


def test_nginx_by_files(folder: Path, stack: Stack, principal: Client, marker: str) -> None:
    form = block("nginx.md", "nginx", "log_format").partition("access_log")[0]
    lines = (form + block("nginx.md", "nginx", "access.json")).replace("/var/log/nginx", str(folder))
    command = of_module(block("nginx.md", "sh"), marker).replace("/var/log/nginx", str(folder))
    with Nginx(folder, lines) as nginx, running(command, folder, stack):
        write_until_stored(folder / "error.log", "2026/01/04 01:34:28 [warn] 1#1: begun", principal, marker)
        nginx.ask()
        wait_until(lambda: any("refused" in text for text in summaries(principal, marker)), "the error")
        wait_until(lambda: "GET /broken 502" in summaries(principal, marker), "the request")
    assert_of_nginx(stored(principal, marker))


@pytest.mark.parametrize(("code", "severity", "outcome"), [(0, "info", "done"), (3, "error", "failed")])
def test_how_a_job_of_cron_ended(
    folder: Path, stack: Stack, principal: Client, marker: str, code: int, severity: str, outcome: str
) -> None:
    add_program(folder, "reported", of_module(block("cron.md", "sh"), marker))
    add_program(folder, "nightly-backup", f"#!/bin/sh\nexit {code}\n")
    job = block("cron.md", "cron", "reported").splitlines()[-1].removeprefix("17 3 * * * ")
    run(job.replace("/usr/local/bin", str(folder / "bin")), folder, stack, code=code)
    [event] = stored(principal, marker)
    assert (event["event_type"], event["severity"]) == (f"cron.{outcome}", severity)
    assert event["payload"] | {"seconds": 0} == {"job": "nightly-backup", "code": code, "seconds": 0}


def test_what_a_job_of_cron_prints(folder: Path, stack: Stack, principal: Client, marker: str) -> None:
    add_program(folder, "nightly-backup", "#!/bin/sh\necho ERROR no disk >&2\n")
    job = of_module(block("cron.md", "cron", "2>&1").strip().removeprefix("17 3 * * * "), marker)
    run(job.replace("/usr/local/bin/nightly", str(folder / "bin" / "nightly")), folder, stack)
    [event] = stored(principal, marker)
    assert (event["event_type"], event["severity"], event["summary"]) == ("cron.output", "error", "ERROR no disk")


@pytest.mark.parametrize(("status", "severity"), [("success", "info"), ("failure", "error"), ("cancelled", "error")])
def test_the_step_of_github_actions(
    folder: Path, stack: Stack, principal: Client, marker: str, status: str, severity: str
) -> None:
    [step] = yaml.safe_load(block("github-actions.md", "yaml"))
    assert set(step["env"]) == {"VX11_URL", "VX11_SERVICE_TOKEN", "OUTCOME"}
    runner = {
        **{"GITHUB_RUN_ID": marker, "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "build", "GITHUB_WORKFLOW": 'CI "x"'},
        **{"GITHUB_REPOSITORY": "a/b", "GITHUB_REF_NAME": "main", "GITHUB_SHA": "abc", "GITHUB_ACTOR": "ann"},
        **{"GITHUB_SERVER_URL": "https://github.com", "VX11_SERVICE_TOKEN": stack.service_token, "OUTCOME": status},
    }
    script = step["run"].replace('module: "ci"', f'module: "{marker}"')
    for _ in range(2):
        run(script, folder, stack, environment=runner)
    [event] = stored(principal, marker)
    assert (event["event_type"], event["severity"]) == (f"ci.{status}", severity)
    assert event["summary"] == f'CI "x" of a/b at main: {status}'
    assert event["payload"]["url"] == f"https://github.com/a/b/actions/runs/{marker}"


def test_files_of_docker(folder: Path, stack: Stack, principal: Client, marker: str) -> None:
    container = folder / "containers" / "0123"
    container.mkdir(parents=True)
    log = container / "0123-json.log"
    log.write_text("")
    command = of_module(block("docker.md", "sh", "publish_events"), marker).replace("/var/lib/docker", str(folder))
    line = json.dumps({"log": "ERROR no disk\n", "stream": "stderr", "time": "2026-01-04T01:34:28.123456789Z"})
    with running(command, folder, stack):
        write_until_stored(log, line, principal, marker)
    event = stored(principal, marker)[0]
    assert (event["severity"], event["summary"]) == ("error", "ERROR no disk")
    assert event["occurred_at"] == "2026-01-04T01:34:28.123456Z"


@pytest.mark.parametrize(
    ("page", "record", "expected"),
    [
        (
            "docker.md",
            b'<30>1 2026-01-04T01:34:28.123456Z node web 4711 web - {"level": "error", "msg": "no disk"}\n',
            ("web", "error", "no disk"),
        ),
        (
            "fluent-bit.md",
            b"<11>1 2026-01-04T01:34:28.123456Z node web - - - no disk\n",
            ("web", "error", "no disk"),
        ),
    ],
)
def test_what_other_programs_send_by_syslog(
    tmp_path: Path, stack: Stack, principal: Client, marker: str, page: str, record: bytes, expected: tuple
) -> None:
    assert "5514" in (FOLDER / page).read_text()
    with SyslogReceiver(tmp_path, stack.a.environment, "--module", marker, url=stack.a.url) as receiver:
        receiver.send(record)
        wait_until(lambda: stored(principal, marker), "it is in the log")
    [event] = stored(principal, marker)
    assert (event["payload"]["syslog"]["app"], event["severity"], event["summary"]) == expected


def test_the_pod_of_kubernetes(folder: Path, stack: Stack, principal: Client, marker: str) -> None:
    pod = yaml.safe_load(block("kubernetes.md", "yaml"))["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    logs = folder / "pods"
    logs.mkdir()
    (folder / "containers").mkdir()
    line = "2026-01-04T01:34:28.123456789Z stderr F ERROR no disk\n"
    (logs / "0.log").write_text(line)
    (folder / "containers" / "web_default_web-0123.log").symlink_to(logs / "0.log")
    words = " ".join(shlex.quote(word) for word in [*container["command"], *container["args"]])
    command = words.replace("/var/log", str(folder)).replace("/state", str(folder)).replace("=cluster", f"={marker}")
    for _ in range(2):
        with running(command, folder, stack):
            wait_until(lambda: summaries(principal, marker), "it is in the log", timeout_seconds=20)
    [event] = stored(principal, marker)
    assert (event["severity"], event["summary"]) == ("error", "ERROR no disk")


def test_configurations_that_were_not_run_have_their_form() -> None:
    vector = tomllib.loads(block("vector.md", "toml"))
    assert vector["sinks"]["vx11"]["inputs"] == ["vx11"]
    assert json.loads(block("docker.md", "json"))["log-driver"] == "syslog"
