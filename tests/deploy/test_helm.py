"""The chart of deploy/helm, by Helm itself: with its defaults it says what deploy/kubernetes says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it ships none
import pytest
import yaml

from tests.servers import ROOT
from vx11_site import __version__
from vx11_site.config.environment import VARIABLES

pytestmark = pytest.mark.once

CHART, FILES = ROOT / "deploy/helm", ROOT / "deploy/kubernetes"
# Of requirements-dev.txt, where its wheel exists.
HELM = next((path for path in (Path(sys.executable).with_name("helm"),) if path.exists()), Path("helm"))
# The oldest that the chart is for, and the newest that the checker knows.
VERSIONS = ("1.27", kubernetes_validate.latest_version())
Manifest = dict[str, Any]
EVERYTHING_ELSE: Manifest = {
    "image": {"digest": f"sha256:{'a' * 64}", "pullPolicy": "Always", "pullSecrets": ["registry"]},
    "publicHost": "events.example.com",
    "drainSeconds": 60,
    "settings": {"VX11_LOG_FORMAT": "text", "VX11_EVENT_RETENTION_ROWS": 10_000_000, "VX11_SSE_TOKEN_TTL_SECONDS": 30},
    "secretName": "other",
    "gateway": {"replicas": 5, "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}},
    "ingress": {"className": "internal", "annotations": {"cert-manager.io/cluster-issuer": "ours"}},
}


def helm(*arguments: str, values: Manifest | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(HELM), *arguments, str(CHART), "--values=-"]
    given = json.dumps(values or {})
    return subprocess.run(command, check=False, input=given, capture_output=True, text=True, timeout=50)


def rendered(values: Manifest | None = None) -> list[Manifest]:
    done = helm("template", "release", values=values)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


def of_files() -> list[Manifest]:
    names = ("secret.example.yaml", "namespace.yaml", "kustomization.yaml")
    paths = [path for path in FILES.rglob("*.yaml") if path.name not in names]
    return [manifest for path in paths for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def without_what_only_helm_says(manifest: Manifest) -> Manifest:
    manifest["metadata"].get("annotations", {}).pop("helm.sh/hook", None)
    manifest["metadata"].get("annotations", {}).pop("helm.sh/hook-delete-policy", None)
    if not manifest["metadata"].get("annotations", True):
        del manifest["metadata"]["annotations"]
    if manifest["kind"] in ("Deployment", "Job"):
        template = manifest["spec"]["template"]
        template["metadata"].get("annotations", {}).pop("checksum/configuration", None)
        (container,) = template["spec"]["containers"]
        assert container.pop("imagePullPolicy") == "IfNotPresent"
        # As the kustomization writes it.
        assert container["image"] == f"registry.example.org/vx11-operator:{__version__}"
        container["image"] = "vx11-operator"
    return manifest


def test_with_its_defaults_it_says_what_the_files_say() -> None:
    ours = {name: without_what_only_helm_says(manifest) for name, manifest in by_name(rendered()).items()}
    assert ours == by_name(of_files())


def test_it_has_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_no_secret_can_be_given_as_a_setting() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    refused = schema["properties"]["settings"]["propertyNames"]["not"]["enum"]
    assert refused == sorted(variable.name for variable in VARIABLES if variable.secret)


@pytest.mark.parametrize("values", [{}, EVERYTHING_ELSE], ids=["defaults", "everything else"])
def test_what_it_renders_has_the_form_that_kubernetes_wants(values: Manifest) -> None:
    for manifest in rendered(values):
        for version in VERSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_it_passes_helms_own_checks() -> None:
    done = helm("lint", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr


def test_values_reach_where_they_count() -> None:
    found = by_name(rendered(EVERYTHING_ELSE))
    configuration = found["ConfigMap", "vx11-operator"]["data"]
    assert configuration["PUBLIC_HOST"] == "events.example.com"
    assert configuration["VX11_LOG_FORMAT"] == "text"
    assert configuration["VX11_EVENT_RETENTION_ROWS"] == "10000000"
    assert configuration["VX11_DRAIN_SECONDS"] == "60"
    gateway = found["Deployment", "tentaculo-link"]["spec"]
    pod = gateway["template"]["spec"]
    assert gateway["replicas"] == 5
    assert pod["terminationGracePeriodSeconds"] == 90
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["containers"][0]["image"] == f"registry.example.org/vx11-operator@sha256:{'a' * 64}"
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}
    assert {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume} == {"other"}
    for name in ("streams", "site"):
        ingress = found["Ingress", name]
        assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "ours"
        assert ingress["spec"]["ingressClassName"] == "internal"
        assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["events.example.com"]


def test_settings_that_are_given_exist() -> None:
    assert set(EVERYTHING_ELSE["settings"]) <= {variable.name for variable in VARIABLES}


def test_other_settings_make_new_pods() -> None:
    def marks(values: Manifest) -> set[str]:
        found = by_name(rendered(values))
        names = ("tentaculo-link", "operator-backend")
        pods = [found["Deployment", name]["spec"]["template"]["metadata"]["annotations"] for name in names]
        return {pod["checksum/configuration"] for pod in pods}

    assert len(marks({})) == 1
    assert marks({}) != marks({"settings": {"VX11_LOG_FORMAT": "text"}})


def test_what_is_switched_off_is_not_there() -> None:
    off = {name: {"enabled": False} for name in ("ingress", "networkPolicies", "migrate")}
    kinds = {kind for kind, _ in by_name(rendered(off))}
    assert kinds == {"Deployment", "Service", "PodDisruptionBudget", "ConfigMap"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 3}, "replicas"),
        ({"gateway": {"replica": 3}}, "replica"),
        ({"gateway": {"replicas": 0}}, "gateway.replicas"),
        ({"publicHost": "https://operator.example.org"}, "publicHost"),
        ({"image": {"digest": "sha256:short"}}, "image.digest"),
        ({"settings": {"LOG_FORMAT": "json"}}, "LOG_FORMAT"),
        ({"settings": {"VX11_SECRET_KEY": "in the history of the release"}}, "settings"),
        ({"drainSeconds": 100_000}, "drainSeconds"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value,
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(values: Manifest, named: str) -> None:
    done = helm("template", "release", values=values)
    assert done.returncode != 0
    assert named in done.stderr
