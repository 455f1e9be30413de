"""Other sites' pages: allowed ones may use tokens, all others get nothing that a browser would hand them."""

from collections.abc import Iterator

import pytest

from tests.answers import assert_problem
from tests.client import API
from tests.stacks import Stack

FRONT_END = "https://front.example.org"


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation that allows FRONT_END. Embedded: nothing here depends on the number of processes."""
    with Stack("embedded", tmp_path_factory.mktemp("cors"), environment={"VX11_ALLOWED_ORIGINS": FRONT_END}) as stack:
        yield stack
        stack.assert_clean_logs()


def test_an_allowed_page_may_ask_get_a_ticket_and_stream(allowing: Stack) -> None:
    client = allowing.client(allowing.principal_token)
    own = {"Origin": FRONT_END, "Sec-Fetch-Site": "cross-site"}
    preflight = allowing.client(None).request(
        "OPTIONS",
        f"{API}/events/sse-token",
        headers={**own, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-vx11-token"},
    )
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == FRONT_END
    assert "X-VX11-Token" in preflight.headers["Access-Control-Allow-Headers"]
    issued = client.issue_ticket(headers=own)
    assert issued.headers["Access-Control-Allow-Origin"] == FRONT_END
    with client.stream(token=issued.json()["sse_token"], headers=own) as stream:
        assert stream.connected().data["type"] == "connected"
        assert stream.response.headers["Access-Control-Allow-Origin"] == FRONT_END
        assert "Access-Control-Allow-Credentials" not in stream.response.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{FRONT_END}.evil.example", "http://front.example.org"]
)
def test_w02_no_other_origin_is_reflected(allowing: Stack, origin: str) -> None:
    client = allowing.client(allowing.principal_token)
    own = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    assert "Access-Control-Allow-Origin" not in client.get(f"{API}/events", headers=own).headers
    with client.stream(token=client.ticket(), headers=own) as stream:
        assert "Access-Control-Allow-Origin" not in stream.response.headers
        stream.response.read()
        assert_problem(stream.response, 403, "cross_site")
