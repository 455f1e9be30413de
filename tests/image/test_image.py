"""The image by a real build, and its containers as the shipped files run them: shut in, stopped in peace, any user."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.client import LOOPBACK
from tests.deploy.dockerfile import Dockerfile
from tests.image.engine import Engine
from tests.processes import free_port
from tests.servers import ROOT
from tests.waiting import wait_until

pytestmark = [pytest.mark.image, pytest.mark.once, pytest.mark.timeout(900)]

DOCKERFILE, TAG = ROOT / "deploy/Dockerfile", "localhost/vx11-operator:test"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# As in deploy/compose.yaml and deploy/kubernetes.
CONFINED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp:size=64m")
PRINCIPAL, SERVICE = "principal-of-this-test", "service-of-this-test"
Serve = Callable[..., str]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"))
    (base,) = {found.rest.split()[0] for found in Dockerfile.read(DOCKERFILE).all("FROM")}
    print(f"The base image is from {engine.ensure_base(base)}.")  # noqa: T201 - a reader of the run has to know
    engine.build(DOCKERFILE, ROOT / "deploy/Dockerfile.dockerignore", ROOT, TAG, COMMIT=COMMIT)
    yield engine
    engine.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def inside(engine: Engine, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return engine.podman("run", "--rm", "--network=host", "--no-healthcheck", *CONFINED, *options, TAG, *command)


@pytest.fixture
def serve(engine: Engine, data: Path) -> Iterator[Serve]:
    started: list[str] = []

    def start(*options: str) -> str:
        """The server's address; the container has the name of its port."""
        port = str(free_port())
        given = {"PORT": port, "HOST": "127.0.0.1", "VX11_PRINCIPAL_TOKEN": PRINCIPAL, "VX11_SERVICE_TOKEN": SERVICE}
        settings = [f"--env={name}={value}" for name, value in given.items()]
        volume = f"--volume={data}:/var/lib/vx11-operator"
        migrated = inside(engine, "migrate", "--no-input", options=(volume, *options))
        assert migrated.returncode == 0, migrated.stderr
        run = ("run", "--detach", f"--name=on-{port}", "--network=host", "--no-healthcheck", *CONFINED, volume)
        done = engine.podman(*run, *settings, *options, TAG)
        assert done.returncode == 0, done.stderr
        started.append(port)
        wait_until(lambda: is_ready(port), "the container is ready", timeout_seconds=60)
        return f"http://127.0.0.1:{port}"

    yield start
    for port in started:
        engine.podman("rm", "--force", f"on-{port}")


def is_ready(port: str) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/ready", **LOOPBACK, timeout=2).status_code == 200
    except httpx2.TransportError:
        return False


def name_at(address: str) -> str:
    return f"on-{address.rpartition(':')[2]}"


def test_it_serves_shut_in_names_its_commit_and_stops_in_peace(engine: Engine, serve: Serve) -> None:
    address = serve()
    health = httpx2.get(f"{address}/health", **LOOPBACK).json()
    assert COMMIT[:7] in health["version"]
    authorized = {"Authorization": f"Bearer {SERVICE}"}
    event = {"event_type": "image.tested", "summary": "from a container"}
    stored = httpx2.post(f"{address}/operator/api/events", json=event, headers=authorized, **LOOPBACK)
    assert stored.status_code == 201, stored.text
    reader = {"Authorization": f"Bearer {PRINCIPAL}"}
    found = httpx2.get(f"{address}/operator/api/events", headers=reader, **LOOPBACK).json()
    assert [event["summary"] for event in found["events"]][-1:] == ["from a container"]
    page = httpx2.get(f"{address}/operator/", follow_redirects=True, **LOOPBACK)
    assert (page.status_code, "csrfmiddlewaretoken" in page.text) == (200, True)
    stopped = engine.podman("stop", "--time=30", name_at(address))
    assert stopped.returncode == 0, stopped.stderr
    ended = engine.podman("inspect", "--format={{.State.ExitCode}}", name_at(address))
    assert ended.stdout.strip() == "0"


def test_its_health_check_says_whether_it_serves(engine: Engine, serve: Serve) -> None:
    address = serve()
    (configured,) = json.loads(engine.podman("image", "inspect", TAG).stdout)
    kind, *command = configured["Healthcheck"]["Test"]
    assert kind == "CMD"
    command = [word.replace(":8000/", f":{address.rpartition(':')[2]}/") for word in command]
    assert engine.podman("exec", name_at(address), *command).returncode == 0
    nowhere = [re.sub(r":\d+/", f":{free_port()}/", word) for word in command]
    assert engine.podman("exec", name_at(address), *nowhere).returncode != 0


def test_any_user_without_rights_may_run_it(engine: Engine, serve: Serve) -> None:
    address = serve("--user=54321:0")
    doing = engine.podman("exec", name_at(address), "python", "manage.py", "doctor")
    assert doing.returncode in (0, 1), doing.stderr
    assert "Traceback" not in doing.stdout + doing.stderr
    ids = engine.podman("exec", name_at(address), "python", "-c", "import os; print(os.getuid())")
    assert ids.stdout.strip() == "54321"


def test_the_image_has_no_writable_code_no_tools_and_no_secret(engine: Engine, data: Path) -> None:
    script = """if True:
        import os, pathlib
        writable = [path for root in ("/srv", "/opt") for path in pathlib.Path(root).rglob("*")
                    if not path.is_symlink() and os.access(path, os.W_OK)]
        secrets = [path for path in pathlib.Path("/").glob("var/lib/vx11-operator/*")]
        print(len(writable), len(secrets), os.getuid())
    """
    done = engine.podman("run", "--rm", "--network=none", "--no-healthcheck", "--entrypoint=python", TAG, "-c", script)
    assert done.stdout.split() == ["0", "0", "10001"], done.stderr


def test_a_data_folder_that_it_may_not_write_to_is_said_in_one_sentence(engine: Engine) -> None:
    done = inside(engine, "serve")
    assert done.returncode != 0
    assert "VX11_DATA_DIR has to be a folder that this user may write to" in done.stderr
    assert "Traceback" not in done.stderr


def test_static_files_lie_where_compose_copies_them_from(engine: Engine) -> None:
    options = ("--rm", "--network=none", "--no-healthcheck", "--entrypoint=ls")
    listed = engine.podman("run", *options, TAG, "/var/www/vx11-operator/static")
    assert {"admin", "events", "operator_api"} <= set(listed.stdout.split()), listed.stderr
