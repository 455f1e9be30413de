"""The image: exact versions, nobody's rights, no secret; and what it copies is enough to serve."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.client import LOOPBACK
from tests.deploy.dockerfile import Dockerfile, Ignored, copy_as_built
from tests.processes import OwnProcess, free_port
from tests.repository import tree
from tests.servers import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.once

DOCKERFILE = Dockerfile.read(ROOT / "deploy/Dockerfile")
IGNORED = Ignored(ROOT / "deploy/Dockerfile.dockerignore")
EXACT = re.compile(r"^[a-z0-9./-]+:\d+\.\d+\.\d+[a-z0-9.-]*$")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of the image, with the files of this checkout."""
    folder = tmp_path_factory.mktemp("image") / "srv"
    copy_as_built(ROOT, tree.files(), DOCKERFILE, IGNORED, folder)
    return folder


def run(image: Path, command: str, data: Path) -> subprocess.CompletedProcess[str]:
    """One command of a RUN, in the image's folder, with this machine's Python."""
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "VX11_DATA_DIR": str(data)}
    return subprocess.run(
        ["sh", "-ec", command], check=False, cwd=image, env=environment, capture_output=True, text=True, timeout=50
    )


def test_every_image_is_named_exactly() -> None:
    names = [found.rest.split()[0] for found in DOCKERFILE.all("FROM")]
    assert [name for name in names if not EXACT.match(name)] == []


def test_only_pinned_packages_with_known_hashes_are_installed() -> None:
    installs = [found.rest for found in DOCKERFILE.all("RUN") if "pip install" in found.rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary=:all:" in installs[0]
    assert "apt-get" not in " ".join(found.rest for found in DOCKERFILE.all("RUN"))


def test_the_program_runs_as_nobody_in_particular() -> None:
    user = DOCKERFILE.last("USER").rest
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user), "by number, so that Kubernetes can see that it is not root"
    # Nothing after it could make files of root's.
    place = [found.word for found in DOCKERFILE.final].index("USER")
    assert {found.word for found in DOCKERFILE.final[place:]} & {"RUN", "COPY", "ADD"} == set()


def test_the_users_are_made_while_useradd_is_on_the_path() -> None:
    words = [f"{found.word} {found.rest}" for found in DOCKERFILE.final]
    (made,) = [place for place, text in enumerate(words) if "useradd" in text]
    (path,) = [place for place, text in enumerate(words) if text.startswith("ENV") and "PATH=" in text]
    assert made < path or "/usr/sbin" in DOCKERFILE.environment()["PATH"]


def test_no_secret_is_in_the_image(image: Path) -> None:
    words = " ".join(found.rest for found in [*DOCKERFILE.all("ENV"), *DOCKERFILE.all("ARG")])
    assert not re.search(r"(?i)secret|token|password", words)
    assert DOCKERFILE.all("ADD") == []
    for path in ("deploy/secrets/secret_key", "deploy/.env", "data/secret_key", "data/operator.sqlite3", ".git/config"):
        assert Path(path) in IGNORED
    # The key that collecting static files makes goes in the same layer.
    (collecting,) = [found.rest for found in DOCKERFILE.all("RUN") if "collectstatic" in found.rest]
    data = re.search(r"VX11_DATA_DIR=(\S+)", collecting)
    assert data
    assert f"rm -rf {data[1]}" in collecting


def test_only_what_serves_is_in_the_image(image: Path) -> None:
    assert sorted(path.name for path in image.iterdir()) == sorted(
        [
            "LICENSE",
            "events",
            "gateway",
            "ledger",
            "vx11_client",
            "locale",
            "manage.py",
            "operator_api",
            "receivers",
            "watches",
            "static",
            "templates",
            "vx11_site",
        ]
    )
    assert [path for path in image.rglob("*") if "__pycache__" in path.parts or path.suffix == ".pyc"] == []


def test_static_files_are_made_as_the_image_makes_them(image: Path, tmp_path: Path) -> None:
    done = run(image, "python manage.py collectstatic --no-input", tmp_path / "build")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "build/static/events/event-client.js").is_file()
    assert (tmp_path / "build/static/admin/css/base.css").is_file()


def test_its_commands_migrate_and_serve_and_its_health_check_says_so(image: Path, tmp_path: Path) -> None:
    entry, served = DOCKERFILE.last("ENTRYPOINT").words, DOCKERFILE.last("CMD").words
    assert entry[0] == "python"
    entry = [sys.executable, *entry[1:]]
    port = free_port()
    own = {"VX11_DATA_DIR": str(tmp_path / "data"), "PORT": str(port), "HOST": "127.0.0.1", "PATH": os.environ["PATH"]}
    assert own.keys() <= DOCKERFILE.environment().keys(), "the image would need these set from outside"
    subprocess.run([*entry, "migrate", "--no-input"], check=True, cwd=image, env=own, capture_output=True)
    server = OwnProcess(tmp_path / "server.log")
    server.start([*entry, *served], folder=image, environment=own)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/ready"), "it is ready", timeout_seconds=30)
        check = DOCKERFILE.last("HEALTHCHECK").rest.partition("CMD ")[2].replace(":8000/", f":{port}/")
        command = [sys.executable, *json.loads(check)[1:]]
        assert subprocess.run(command, check=False, timeout=10).returncode == 0
    finally:
        assert server.end() == 0
    assert subprocess.run(command, check=False, timeout=10, capture_output=True).returncode != 0


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, **LOOPBACK, timeout=2).status_code == 200
    except httpx2.TransportError:
        return False
