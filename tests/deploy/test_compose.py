"""deploy/compose.yaml: every container is shut in, none holds a secret, and each sees only whom it must."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import ROOT
from vx11_site.config.environment import VARIABLES, Environment

pytestmark = pytest.mark.once

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = ["gateway-1", "gateway-2", "backend-1", "backend-2"]
ONCE = ["migrate", "static"]
STORES = {"postgres", "redis"}
EXACT = re.compile(r"^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)?$")
HOST = "operator.example.org"
# To leave after the drain.
LEAVE_SECONDS = 10

service = pytest.mark.parametrize("name", SERVICES)


def test_it_is_a_compose_file() -> None:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, str(DEPLOY / "compose.yaml")], check=False, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stdout


@service
def test_a_container_is_shut_in(name: str) -> None:
    container = SERVICES[name]
    assert container["cap_drop"] == ["ALL"]
    assert "cap_add" not in container
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["read_only"] is True
    assert int(container["user"].split(":")[0]) > 0
    assert not container.get("privileged")
    assert not any("docker.sock" in str(volume) for volume in container.get("volumes", ()))


@service
def test_a_container_has_limits_and_its_logs_have_too(name: str) -> None:
    container = SERVICES[name]
    assert container["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert container["logging"]["options"].keys() == {"max-size", "max-file"}


@service
def test_a_container_is_of_an_exact_version(name: str) -> None:
    container = SERVICES[name]
    assert "build" in container or EXACT.match(container["image"])


@service
def test_a_container_is_watched_or_runs_once(name: str) -> None:
    container = SERVICES[name]
    if name in ONCE:
        assert (container["restart"], container["healthcheck"]) == ("no", {"disable": True})
    else:
        assert container["restart"] == "unless-stopped"
        # The program's is in its image.
        assert "healthcheck" in container or "build" in container


@service
def test_secrets_come_as_files_and_no_value_is_one(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    secret = re.compile(r"(?i)password|secret|token")
    assert [key for key in environment if secret.search(key) and not key.endswith(("_FILE", "__FILE"))] == []
    given = {each if isinstance(each, str) else each["source"] for each in SERVICES[name].get("secrets", ())}
    named = {path.rpartition("/")[2] for path in environment.values() if path.startswith("/run/secrets/")}
    assert named <= given <= COMPOSE["secrets"].keys()


@service
def test_what_a_container_mounts_from_the_checkout_is_there(name: str) -> None:
    volumes = [volume.split(":") for volume in SERVICES[name].get("volumes", ())]
    mounted = [(source, options) for source, _, *options in volumes if source.startswith(".")]
    assert [source for source, _ in mounted if not (DEPLOY / source).exists()] == []
    assert [source for source, options in mounted if options != ["ro"]] == []
    assert {source for source, *_ in volumes if not source.startswith(".")} <= COMPOSE["volumes"].keys()


# --- who sees whom ---


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", ()))


def test_stores_are_seen_by_the_program_alone() -> None:
    seen_by = {name for name in SERVICES if networks(name) & networks("postgres") | networks(name) & networks("redis")}
    assert seen_by == {*SERVERS, "migrate", *STORES}
    assert COMPOSE["networks"]["data"] == {"internal": True}


def test_the_world_reaches_nginx_and_nothing_else() -> None:
    published = {name: container["ports"] for name, container in SERVICES.items() if "ports" in container}
    of_this_host = {"grafana": 3000, "prometheus": 9090, "alertmanager": 9093}
    assert {name: published.pop(name) for name in of_this_host} == {
        name: [f"127.0.0.1:{port}:{port}"] for name, port in of_this_host.items()
    }
    assert published == {"nginx": ["80:80", "443:443"]}
    outside = {name for name, network in COMPOSE["networks"].items() if not (network or {}).get("internal")}
    assert outside == {"edge"}
    assert {name for name in SERVICES if networks(name) & outside} == {"nginx", *of_this_host}


def test_backends_are_seen_by_gateways_and_not_by_nginx() -> None:
    assert networks("nginx") & networks("backend-1") == set()
    assert networks("gateway-1") & networks("backend-1")
    assert all(SERVICES[f"backend-{n}"]["networks"]["inside"] == {"aliases": ["backend"]} for n in (1, 2))


def test_gateways_believe_the_address_that_nginx_has_and_nginx_asks_where_they_are() -> None:
    nginx = SERVICES["nginx"]["networks"]["front"]["ipv4_address"]
    upstream = (DEPLOY / "nginx/container/upstream.conf").read_text(encoding="utf-8")
    for name in ("gateway-1", "gateway-2"):
        assert SERVICES[name]["environment"]["VX11_TRUSTED_PROXIES"] == f"{nginx}/32"
        assert f"server {SERVICES[name]['networks']['front']['ipv4_address']}:8000 " in upstream


def test_nginx_serves_the_site_to_every_name_and_not_the_one_of_its_image() -> None:
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["nginx"]["volumes"])
    assert mounted["./nginx/vx11-operator.conf"] == "/etc/nginx/conf.d/default.conf"


# --- the program's processes ---


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_can_be_tried_from_within_its_container(name: str) -> None:
    assert "127.0.0.1" in SERVICES[name]["environment"]["VX11_ALLOWED_HOSTS"].split(",")


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_not_killed_while_it_says_goodbye(name: str) -> None:
    drain = Environment(SERVICES[name]["environment"]).number("VX11_DRAIN_SECONDS", minimum=1, maximum=600)
    assert seconds(SERVICES[name]["stop_grace_period"]) >= drain + LEAVE_SECONDS


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_starts_when_migrations_are_done_and_the_stores_answer(name: str) -> None:
    wanted = dict.fromkeys(STORES, "service_healthy") | {"migrate": "service_completed_successfully"}
    assert {other: how["condition"] for other, how in SERVICES[name]["depends_on"].items()} == wanted


def test_every_setting_exists_and_both_of_a_kind_have_the_same() -> None:
    known = {v.name for v in VARIABLES} | {f"{v.name}_FILE" for v in VARIABLES if v.secret}
    named = {key for name in SERVERS for key in SERVICES[name]["environment"] if key.startswith("VX11_")}
    assert named - known == set()
    for kind in ("gateway", "backend"):
        first, second = SERVICES[f"{kind}-1"], SERVICES[f"{kind}-2"]
        assert {key: value for key, value in first.items() if key != "networks"} == {
            key: value for key, value in second.items() if key != "networks"
        }
        assert first["environment"]["VX11_ROLE"] == kind


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """deploy/ with what make-secrets puts into it."""
    folder = tmp_path_factory.mktemp("checkout") / "deploy"
    folder.mkdir()
    shutil.copy2(DEPLOY / "make-secrets", folder)
    subprocess.run([folder / "make-secrets", HOST], check=True, capture_output=True, timeout=50)
    return folder


def test_make_secrets_makes_every_secret_and_none_twice(made: Path) -> None:
    files = {path.name: path.read_text() for path in (made / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == files.keys()
    assert [name for name, text in files.items() if not text and name not in ("alerts_token", "metrics_token")] == []
    random = [files[name] for name in ("postgres_password", "redis_password", "secret_key", "principal_token")]
    assert len(set(random)) == len(random)
    subprocess.run([made / "make-secrets", HOST], check=True, capture_output=True, timeout=50)
    assert {path.name: path.read_text() for path in (made / "secrets").iterdir()} == files


def test_secrets_are_readable_to_their_group_and_to_nobody_else(made: Path) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in (made / "secrets").iterdir()} == {"0o640"}
    assert (made / "secrets").stat().st_mode & 0o007 == 0
    group = re.search(r"^SECRETS_GROUP=([1-9]\d*)$", (made / ".env").read_text(), re.MULTILINE)
    assert group
    assert {path.stat().st_gid for path in (made / "secrets").iterdir()} == {int(group[1])}


def test_git_never_sees_them() -> None:
    for path in ("deploy/secrets/secret_key", "deploy/.env"):
        done = subprocess.run(["git", "check-ignore", "--quiet", path], check=False, cwd=ROOT)
        assert done.returncode == 0, path


@pytest.mark.parametrize("name", ["gateway-1", "backend-1"])
def test_the_settings_pass_the_deploy_check(made: Path, tmp_path: Path, name: str) -> None:
    given = SERVICES[name]["environment"] | {"PATH": os.environ["PATH"], "VX11_DATA_DIR": str(tmp_path)}
    environment = {
        key: re.sub(r"\$\{OPERATOR_HOST[^}]*\}", HOST, value).replace("/run/secrets/", f"{made}/secrets/")
        for key, value in given.items()
    }
    tmp_path.chmod(0o700)
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "ERROR"]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    # The way to the stores is a network of their own, see `networks`. The way to the backend likewise.
    assert set(re.findall(r"vx11\.\w+", done.stderr)) <= {"vx11.W006", "vx11.W007", "vx11.W022"}, done.stderr
