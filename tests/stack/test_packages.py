"""What `make dist` makes: each package is installed where nothing of the checkout is, and driven as its page says."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import vx11_site
from tests.installed import plain_environment, started
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]

NODE = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages/playwright/driver/node"
COMMIT = "1a2b3c4d5e6f"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from a copy of the checkout, which leaves the checkout itself as it is."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / "vx11_site" / "COMMIT").write_text(COMMIT)
    secrets = copy / "deploy" / "secrets"
    secrets.mkdir()
    (secrets / "service_token").write_text("not for others")
    (copy / ".venv").symlink_to(sys.prefix)
    made = subprocess.run(["make", "dist"], cwd=copy, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert not list(copy.glob("*.egg-info")) + list(copy.glob("build"))
    return copy / "dist"


def one(dist: Path, pattern: str) -> Path:
    (found,) = dist.glob(pattern)
    return found


def installed(wheel: Path, folder: Path) -> Path:
    """An environment with this wheel, and with what it requires from the environment of the tests; its bin folder."""
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python3*/site-packages"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin" / "python")]
    done = subprocess.run(
        [*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (site / "requirements.pth").write_text(next(path for path in sys.path if path.endswith("site-packages")) + "\n")
    return folder / "bin"


def test_the_wheel_runs_the_program_in_the_user_s_own_folder(dist: Path, tmp_path: Path) -> None:
    binaries = installed(one(dist, "vx11_operator-*.whl"), tmp_path / "with a space")
    # No setting, no checkout: a home, and nothing more.
    environment = plain_environment(HOME=str(tmp_path / "home"))
    command = str(binaries / "vx11-operator")
    version = f"{vx11_site.__version__}+g{COMMIT}"

    def run(*words: str, **variables: str) -> str:
        done = subprocess.run(
            [command, *words], cwd=tmp_path, env=environment | variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("version") == f"{version}\n"
    assert "usage: vx11-operator" in run()
    data = tmp_path / "home" / ".local" / "share" / "vx11-operator"
    assert str(data) in run("--help")
    assert not data.exists(), "help stores nothing"
    with started([command, "run"], folder=tmp_path, environment=environment) as server:
        reader, service = server.client("Principal"), server.client("Service")
        assert reader.get("/health").json()["version"] == version
        with reader.stream() as stream:
            stream.connected()
            sent = service.published({"event_type": "test.happened", "summary": "from a wheel"})
            assert stream.event()["event_id"] == sent["event_id"]
        for page in ("/operator/login", "/static/operator_api/console.js", "/static/admin/css/base.css"):
            assert reader.get(page).status_code == 200, page
        assert "Contraseña" in reader.get("/operator/login", headers={"Accept-Language": "es"}).text
        told = run(
            "smoke",
            "--url",
            server.url,
            VX11_PRINCIPAL_TOKEN=reader.token or "",
            VX11_SERVICE_TOKEN=service.token or "",
        )
        assert "FAILED" not in told
        assert "vx11-operator manage issue_token" in server.printed
    assert data.joinpath("operator.sqlite3").exists()
    with started([command, "run"], folder=tmp_path, environment=environment) as server:
        assert "vx11p_" not in server.printed, "tokens are shown once"
    assert "first module" in run("manage", "list_tokens")
    refused = subprocess.run([command, "sevre"], env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "no command 'sevre'" in refused.stderr


def test_the_wheel_has_all_files_and_nothing_of_a_machine(dist: Path) -> None:
    with zipfile.ZipFile(one(dist, "vx11_operator-*.whl")) as wheel:
        names = set(wheel.namelist())
        (metadata,) = [wheel.read(name).decode() for name in names if name.endswith("dist-info/METADATA")]
    tracked = subprocess.run(
        ["git", "ls-files", "templates", "static", "locale", "deploy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {f"vx11_site/share/{name}" for name in tracked if (ROOT / name).exists()} <= names
    assert "vx11_site/share/THIRD-PARTY-LICENSES.txt" in names
    assert not [name for name in names if "secrets/" in name or name.startswith(("tests", "benchmarks"))]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    required = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    assert set(re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)) == required


def test_beside_the_packages_are_the_licences_of_others_and_a_list_of_what_is_required(dist: Path) -> None:
    assert "django 5.2." in (dist / "THIRD-PARTY-LICENSES.txt").read_text()
    bill = json.loads(one(dist, f"vx11-operator-{vx11_site.__version__}.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", vx11_site.__version__)


QUICK_START = """
from vx11_client import Publisher
with Publisher(url="{url}", token="{token}") as publisher:
    publisher.publish({{"event_type": "test.happened", "summary": "from the client's wheel"}})
"""


def test_the_client_s_wheel_publishes_without_the_program(dist: Path, stack: Stack, tmp_path: Path) -> None:
    binaries = installed(one(dist, "vx11_client-*.whl"), tmp_path / "environment")
    reader = stack.client(stack.principal_token)
    cursor = reader.cursor()
    script = tmp_path / "quick_start.py"
    script.write_text(QUICK_START.format(url=stack.a.url, token=stack.service_token))
    subprocess.run([str(binaries / "python"), "-I", str(script)], check=True, env=plain_environment())
    assert [event["summary"] for event in reader.polled(since=cursor)["events"]] == ["from the client's wheel"]


# What Node and Bun lack of a browser; Deno has most of it.
WITHOUT = (
    "for (const name of ['EventSource', 'addEventListener', 'reportError', 'document']) delete globalThis[name];\n"
)


@pytest.mark.parametrize("runtime", ["node", "deno"])
def test_the_event_client_follows_in_programs_as_its_readme_says(
    dist: Path, stack: Stack, tmp_path: Path, runtime: str
) -> None:
    package = tmp_path / "node_modules" / "@vx11" / "event-client"
    package.mkdir(parents=True)
    tarball = one(dist, "vx11-event-client-*.tgz")
    subprocess.run(["tar", "xzf", str(tarball), "--strip-components=1", "-C", str(package)], check=True)
    (code,) = re.findall(r"```js\n(.*?)```", (package / "README.md").read_text(), re.DOTALL)
    code = code.replace("http://127.0.0.1:8000", stack.a.url).replace("vx11p_...", stack.principal_token)
    (tmp_path / "without.mjs").write_text(WITHOUT)
    (tmp_path / "quick-start.mjs").write_text(f'import "./without.mjs";\n{code}')
    (tmp_path / "package.json").write_text("{}")
    deno = [str(Path(sys.prefix) / "bin" / "deno"), "run", "--allow-all", "--no-config", "--node-modules-dir=manual"]
    command = [str(NODE)] if runtime == "node" else deno
    output, environment = tmp_path / "output", os.environ | {"DENO_NO_UPDATE_CHECK": "1"}
    service = stack.client(stack.service_token)
    summaries = [f"no. {number} for {runtime}" for number in range(5)]
    with (
        output.open("w") as file,
        subprocess.Popen(
            [*command, "quick-start.mjs"], cwd=tmp_path, env=environment, stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            wait_until(lambda: "live" in output.read_text(), "it follows", timeout_seconds=30)
            for summary in summaries:
                service.published({"event_type": "test.happened", "summary": summary, "severity": "error"})
                service.published({"event_type": "test.happened", "summary": f"not {summary}"})
            wait_until(lambda: summaries[-1] in output.read_text(), "the last event", timeout_seconds=20)
        finally:
            process.kill()
    printed = output.read_text()
    assert re.findall(rf"error (no\. \d for {runtime})$", printed, re.MULTILINE) == summaries
    assert "not no." not in printed


def test_the_packages_have_the_program_s_version() -> None:
    event_client = json.loads((ROOT / "static" / "events" / "package.json").read_text())
    client = tomllib.loads((ROOT / "vx11_client" / "pyproject.toml").read_text())["project"]
    assert {event_client["version"], client["version"]} == {vx11_site.__version__}
