"""What front ends in the field ask for beside the API: real data where there is some, else a refusal; no 404."""

import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.stack.operators import close_window, operator, window
from tests.stacks import Stack
from vx11_site import release

NOT_HERE = (
    "scorecard", "logs/tail", "hormiguero/status", "hormiguero/incidents?limit=10", "spawner/runs", "rails",
    "rails/lanes", "manifestator/status", "shub/jobs", "madre/status/x-1", "assist/deepseek_r1/status",
)  # fmt: skip


@pytest.mark.parametrize("prefix", [API, f"{API}/v1"])
def test_health_is_answered_where_front_ends_ask_for_it(stack: Stack, prefix: str) -> None:
    client = stack.client(None)
    assert client.get(f"{prefix}/health").json() == client.get("/health").json()
    version = client.get("/health").json()["version"]
    metrics = stack.client(stack.principal_token).get("/metrics").text
    assert f'vx11_build_info{{version="{version}"}} 1.0' in metrics
    assert version == release.version()


@pytest.mark.parametrize("path", NOT_HERE)
def test_what_is_not_here_is_off_by_policy_and_no_404(path: str, principal: Client) -> None:
    for prefix in (API, f"{API}/v1"):
        answer = principal.get(f"{prefix}/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/json")
        assert answer.json()["status"] == "OFF_BY_POLICY"
        assert {"service", "message", "recommended_action", "correlation_id"} <= answer.json().keys()
    assert_problem(Client(principal.url, token=None, credentials=set()).get(f"{API}/{path}"), 401, "missing_token")


@pytest.mark.parametrize("path", ["spawner/submit", "hormiguero/scan/once", "assist/deepseek_r1", "explorer/query"])
def test_their_commands_are_declined_too(path: str, principal: Client) -> None:
    assert principal.post(f"{API}/{path}", json={}).json()["status"] == "OFF_BY_POLICY"


def test_topology_and_spawner_say_what_is_known_of_modules(principal: Client) -> None:
    close_window(principal)
    modules = principal.get(f"{API}/modules").json()["modules"]
    topology = principal.get(f"{API}/topology").json()
    assert {name: service["status"] for name, service in topology["services"].items()} == {
        name: module["status"] for name, module in modules.items()
    }
    assert topology["policy"] == "solo_madre"
    status = principal.get(f"{API}/spawner/status").json()
    assert (status["status"], status["allowed"], status["policy"]) == ("OFF_BY_POLICY", False, "solo_madre")
    with window(principal, services=["spawner"]):
        assert principal.get(f"{API}/spawner/status").json()["allowed"] is True


def test_figures_are_those_of_the_log(principal: Client, service: Client) -> None:
    service.published({"event_type": "test.happened", "summary": "x"})
    metrics = principal.get(f"{API}/metrics?window_seconds=3600").json()["metrics"]
    values = {figure["metric_name"]: figure["value"] for figure in metrics}
    assert values["events_in_window"] >= 1
    assert values["events_kept"] >= values["events_in_window"]
    assert values["modules_up"] >= 3
    assert all(figure.keys() == {"metric_name", "value", "unit", "module", "timestamp"} for figure in metrics)
    assert_problem(principal.get(f"{API}/metrics?window_seconds=0"), 422, "validation_error")


def test_audit_runs_are_the_days_of_our_audit(stack: Stack, principal: Client) -> None:
    operator(stack)
    runs = principal.get(f"{API}/audit/runs?limit=5").json()["runs"]
    assert runs[0].keys() == {"run_id", "run_ts", "status", "files_count", "size_bytes", "source"}
    assert runs[0]["files_count"] >= 1
    assert principal.get(f"{API}/audit").json()["runs"][0]["run_id"] == runs[0]["run_id"]
    for path in (f"audit/{runs[0]['run_id']}", f"audit/runs/{runs[0]['run_id']}"):
        detail = principal.get(f"{API}/{path}").json()
        assert detail["run_id"] == runs[0]["run_id"]
        assert detail["findings"]
    assert_problem(principal.get(f"{API}/audit/2001-01-01"), 404, "not_found")
    assert_problem(principal.get(f"{API}/audit/nonsense"), 404, "not_found")


def test_the_audit_needs_its_scope(stack: Stack) -> None:
    client, _ = operator(stack)
    assert_problem(client.get(f"{API}/audit"), 403, "insufficient_scope")
