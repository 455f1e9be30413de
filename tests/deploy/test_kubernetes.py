"""The manifests of deploy/kubernetes: of the right form, shut in, in agreement with each other, and slow to stop."""

import copy
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate  # type: ignore[import-untyped]  # it ships none
import pytest
import yaml

from tests.servers import ROOT
from vx11_site import __version__
from vx11_site.config.environment import VARIABLES, Environment

pytestmark = pytest.mark.once

FOLDER = ROOT / "deploy/kubernetes"
# The oldest that the files are for, and the newest that the checker knows.
VERSIONS = ("1.27", kubernetes_validate.latest_version())
# To leave after the drain.
LEAVE_SECONDS = 10
Manifest = dict[str, Any]


def read(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path not in KUSTOMIZATIONS)
ALL = [manifest for path in FILES for manifest in read(path)]
WORKLOADS = [manifest for manifest in ALL if manifest["kind"] in ("Deployment", "Job")]


def of_kind(kind: str) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in ALL if manifest["kind"] == kind}


DEPLOYMENTS = of_kind("Deployment")
(CONFIGURATION,) = of_kind("ConfigMap").values()
workload = pytest.mark.parametrize("manifest", WORKLOADS, ids=lambda manifest: manifest["metadata"]["name"])


def pod(manifest: Manifest) -> Manifest:
    found: Manifest = manifest["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", ALL, ids=lambda manifest: f"{manifest['kind']} {manifest['metadata']['name']}")
def test_a_manifest_has_the_form_that_kubernetes_wants(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_takes_every_file_beside_it_and_the_version_of_the_program(path: Path) -> None:
    (kustomization,) = read(path)
    beside = {file.name for file in path.parent.glob("*.yaml")} - {path.name, "secret.example.yaml"}
    assert set(kustomization["resources"]) == beside
    (image,) = kustomization["images"]
    assert (image["name"], image["newTag"]) == ("vx11-operator", __version__)


@workload
def test_a_container_is_shut_in(manifest: Manifest) -> None:
    (container,) = pod(manifest)["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    whole = pod(manifest)["securityContext"]
    assert whole["runAsNonRoot"]
    assert whole["runAsUser"] > 0
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(manifest)["automountServiceAccountToken"] is False
    # They come as variables that look like settings of this program.
    assert pod(manifest)["enableServiceLinks"] is False
    assert container["resources"].keys() == {"requests", "limits"}
    assert "memory" in container["resources"]["limits"]


@workload
def test_secrets_are_files_of_their_group(manifest: Manifest) -> None:
    (secret,) = [volume["secret"] for volume in pod(manifest)["volumes"] if "secret" in volume]
    assert secret["defaultMode"] == 0o440
    (container,) = pod(manifest)["containers"]
    folder = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "secrets")
    (example,) = of_kind("Secret").values()
    given = {item["key"] for item in secret["items"]} if "items" in secret else set(example["stringData"])
    files = {entry["value"] for entry in container["env"] if entry["name"].endswith("_FILE")}
    assert files
    assert files <= {f"{folder}/{name}" for name in given}


def test_every_setting_exists() -> None:
    known = {v.name for v in VARIABLES} | {f"{v.name}_FILE" for v in VARIABLES if v.secret}
    named = {entry["name"] for manifest in WORKLOADS for entry in pod(manifest)["containers"][0]["env"]}
    named |= CONFIGURATION["data"].keys()
    assert {name for name in named if name.startswith("VX11_")} - known == set()
    assert {name for name in named if not name.startswith("VX11_")} == {"POD_IP", "PUBLIC_HOST"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_server_can_be_tried_from_within_its_pod(name: str) -> None:
    (container,) = pod(DEPLOYMENTS[name])["containers"]
    hosts = next(entry["value"] for entry in container["env"] if entry["name"] == "VX11_ALLOWED_HOSTS")
    assert "127.0.0.1" in hosts.split(",")


def test_whoever_checks_a_certificate_of_the_database_says_by_whom() -> None:
    (example,) = of_kind("Secret").values()
    options = parse_qs(urlsplit(example["stringData"]["database_url"]).query)
    assert options["sslmode"] == ["verify-full"]
    assert options["sslrootcert"]


def test_gateways_and_backends_differ_in_what_they_do_and_in_nothing_else() -> None:
    def common(name: str) -> Manifest:
        manifest = yaml.safe_load(yaml.safe_dump(copy.deepcopy(DEPLOYMENTS[name])).replace(name, "NAME"))
        (container,) = pod(manifest)["containers"]
        own = {"VX11_ROLE", "VX11_BACKEND_URL", "VX11_PRINCIPAL_TOKEN_FILE", "VX11_SERVICE_TOKEN_FILE"}
        hosts = {"VX11_ALLOWED_HOSTS"}
        container["env"] = [entry for entry in container["env"] if entry["name"] not in own | hosts]
        del container["resources"]
        for volume in pod(manifest)["volumes"]:
            volume.get("secret", {}).pop("items", None)
        return dict(manifest)

    assert common("tentaculo-link") == common("operator-backend")


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_given_the_time_to_say_goodbye(name: str) -> None:
    drain = Environment(CONFIGURATION["data"]).number("VX11_DRAIN_SECONDS", minimum=1, maximum=600)
    (container,) = pod(DEPLOYMENTS[name])["containers"]
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(DEPLOYMENTS[name])["terminationGracePeriodSeconds"] >= before + drain + LEAVE_SECONDS


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_there_is_always_a_pod_that_is_ready(name: str) -> None:
    spec = DEPLOYMENTS[name]["spec"]
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    (container,) = pod(DEPLOYMENTS[name])["containers"]
    probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/health", "readiness": "/ready", "liveness": "/health"}
    budget = of_kind("PodDisruptionBudget")[name]["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, spec["selector"])


def test_selectors_find_the_pods_they_mean() -> None:
    labels = {name: manifest["spec"]["template"]["metadata"]["labels"] for name, manifest in DEPLOYMENTS.items()}
    for name, deployment in DEPLOYMENTS.items():
        selectors = [deployment["spec"]["selector"]["matchLabels"], of_kind("Service")[name]["spec"]["selector"]]
        selectors.append(of_kind("NetworkPolicy")[name]["spec"]["podSelector"]["matchLabels"])
        for selector in selectors:
            assert [found for found, carried in labels.items() if selector.items() <= carried.items()] == [name]


def test_the_way_in_leads_to_gateways_under_one_host_and_never_to_metrics() -> None:
    ingresses = of_kind("Ingress").values()
    hosts = {rule["host"] for ingress in ingresses for rule in ingress["spec"]["rules"]}
    hosts |= {host for ingress in ingresses for tls in ingress["spec"]["tls"] for host in tls["hosts"]}
    assert hosts == {CONFIGURATION["data"]["PUBLIC_HOST"]}
    paths = [path for ingress in ingresses for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    assert {path["backend"]["service"]["name"] for path in paths} == {"tentaculo-link"}
    prefixes = [path["path"] for path in paths if path["pathType"] == "Prefix"]
    assert not [prefix for prefix in prefixes if "/metrics".startswith(prefix)]


def test_no_ingress_sends_a_post_twice_or_logs_the_url_of_a_stream() -> None:
    ingresses = of_kind("Ingress")
    prefix = "nginx.ingress.kubernetes.io/"
    for ingress in ingresses.values():
        assert "non_idempotent" not in ingress["metadata"]["annotations"][f"{prefix}proxy-next-upstream"]
    stream = ingresses["streams"]["metadata"]["annotations"]
    assert (stream[f"{prefix}enable-access-log"], stream[f"{prefix}proxy-buffering"]) == ("false", "off")
    assert all(
        re.search("events/(stream|socket)$", path["path"])
        for path in ingresses["streams"]["spec"]["rules"][0]["http"]["paths"]
    )


def test_whoever_is_not_named_may_speak_to_nobody() -> None:
    policies = of_kind("NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (asks,) = policies["operator-backend"]["spec"]["ingress"]
    pods = [source["podSelector"]["matchLabels"] for source in asks["from"] if "podSelector" in source]
    assert pods == [{"app.kubernetes.io/name": "tentaculo-link"}]
