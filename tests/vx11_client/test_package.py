"""vx11_client by itself: built from its folder, without this project, with the limits that the server has."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import vx11_client
from events.log import submissions
from gateway.filters import SEVERITIES
from gateway.http.bodies import PUBLISH_LIMIT_BYTES
from tests.servers import ROOT
from vx11_client import wire_limits

FOLDER = ROOT / "vx11_client"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
HAS_WHEEL = any(importlib.util.find_spec(name) for name in ("wheel", "setuptools.command.bdist_wheel"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder of the package, alone."""
    return Path(shutil.copytree(FOLDER, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__")))


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


USES_ALL = """if True:
    import sys
    sys.path.insert(0, sys.argv[1])
    import vx11_client
    assert vx11_client.__file__.startswith(sys.argv[1])
    for name in vx11_client.__all__:
        getattr(vx11_client, name)
    print(sorted({"django", "events", "gateway", "ledger", "vx11_site", "channels"} & set(sys.modules)))
"""


def test_it_builds_from_its_folder_and_runs_without_this_project(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    run("-c", "import setuptools; setuptools.setup()", "-q", "build", "--build-lib", str(tmp_path / "lib"), cwd=source)
    library = tmp_path / "lib" / "vx11_client"
    built = {path.relative_to(library) for path in library.rglob("*") if path.is_file()}
    assert built == {path.relative_to(FOLDER) for path in FOLDER.rglob("*.py")} | {Path("py.typed")}
    assert run("-I", "-c", USES_ALL, str(tmp_path / "lib"), cwd=tmp_path) == "[]\n"


@pytest.mark.skipif(not HAS_WHEEL, reason="needs setuptools 70.1 or the package wheel in .venv")
def test_pip_makes_a_wheel_of_it_offline(source: Path, tmp_path: Path) -> None:
    words = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    run("-m", "pip", *words, "--wheel-dir", str(tmp_path), str(source), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"vx11_client-{PROJECT['version']}-py3-none-any.whl"
    shutil.unpack_archive(wheel, tmp_path / "lib", "zip")
    assert run("-I", "-c", USES_ALL, str(tmp_path / "lib"), cwd=tmp_path) == "[]\n"


def test_its_requirements_are_what_it_imports_and_the_server_s_versions_meet_them() -> None:
    imported = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.partition(".")[0] for name in names}
    required = {re.split(r"[<>=]", text)[0] for text in PROJECT["dependencies"]}
    assert imported - set(sys.stdlib_module_names) - {"vx11_client"} == required
    pinned = dict(re.findall(r"^(\w+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    for text in PROJECT["dependencies"]:
        name, minimum = re.split(r">=", text.partition(",")[0])
        assert [int(part) for part in pinned[name].split(".")] >= [int(part) for part in minimum.split(".")]


def test_what_needs_no_network_does_not_load_httpx2() -> None:
    code = (
        "import sys; import vx11_client, vx11_client.terminal_text, vx11_client.exact_json\n"
        "from vx11_client import ClientError\nprint('httpx2' in sys.modules, 'asyncio' in sys.modules)"
    )
    assert run("-c", code, cwd=ROOT) == "False False\n"


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    assert set(vx11_client.__all__) <= set(dir(vx11_client))
    public = {name: getattr(vx11_client, name) for name in vx11_client.__all__}
    assert [name for name, value in public.items() if name != "Item" and not (value.__doc__ or "").strip()] == []
    with pytest.raises(AttributeError, match="no_such_name"):
        vx11_client.no_such_name  # noqa: B018 - the access is the test
    assert isinstance(vx11_client.follow, type(run))


def test_the_limits_are_those_of_the_server() -> None:
    assert wire_limits.BATCH_LIMIT_EVENTS == submissions.BATCH_LIMIT_EVENTS
    assert wire_limits.EVENT_LIMIT_BYTES == submissions.EVENT_LIMIT_BYTES
    assert wire_limits.SUMMARY_LIMIT_CHARACTERS == submissions.SUMMARY_LIMIT
    assert wire_limits.REQUEST_LIMIT_BYTES == PUBLISH_LIMIT_BYTES
    assert wire_limits.SEVERITIES == SEVERITIES
