"""The doctor at a gateway says whether its backend is there and knows it."""

import json

from tests.servers import RunningServer
from tests.stacks import Stack


def findings(server: RunningServer, **environment: str) -> list[tuple[str, str]]:
    """Level and text of what is said about the role."""
    elsewhere = RunningServer(server.process.log_path.parent, server.environment | environment)
    report = json.loads(elsewhere.run_manage("doctor", "--json").stdout)
    return [(one["level"], one["found"]) for one in report["findings"] if one["area"] == "role"]


def test_each_role_says_what_it_is_and_a_gateway_asks_its_backend(stack: Stack) -> None:
    assert findings(stack.backends[0]) == [("OK", "backend: serves its gateways under /api/")]
    ((level, text),) = findings(stack.a)
    assert level == "OK"
    assert "its backend answers" in text


def test_what_is_wrong_with_the_backend_is_told_apart(stack: Stack) -> None:
    ((level, text),) = findings(stack.a, VX11_SERVICE_TOKEN="nobody-has-this-token")
    assert (level, text) == ("FAIL", "gateway: its backend refuses its token (401)")
    ((level, text),) = findings(stack.a, VX11_BACKEND_URL=stack.b.url)
    assert (level, text) == ("FAIL", "gateway: what is at its backend's address answers 404, and not as a backend")
    ((level, text),) = findings(stack.a, VX11_BACKEND_URL="http://127.0.0.1:9")
    assert level == "FAIL"
    assert "refused" in text
    both = f"{stack.token_file.read_text()},nobody-has-this-token"
    assert [level for level, _ in findings(stack.a, VX11_SERVICE_TOKEN=both)] == ["OK", "WARN"]
