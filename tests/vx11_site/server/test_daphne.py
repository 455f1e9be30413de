"""Which handler a request takes, and what is put right before any of them sees it."""

import pytest


def scope(path: str, **headers: str) -> dict[str, object]:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"path": path, "headers": encoded}


@pytest.fixture(autouse=True)
def _asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module claims the right to serve when it is imported; a test run serves nobody."""
    from vx11_site.config import single_process

    monkeypatch.setattr(single_process, "claim", lambda: None)


@pytest.mark.parametrize(
    ("path", "headers", "lean"),
    [
        ("/operator/api/events", {}, True),
        ("/operator/api/v1/events", {"x_vx11_token": "x"}, True),
        ("/operator/api/events", {"authorization": "Bearer x", "cookie": "a=b"}, True),
        ("/operator/api/events", {"cookie": "a=b"}, False),
        ("/operator/api/events", {"cookie": "a=b", "x_vx11_token": ""}, False),
        ("/operator/api/events", {"cookie": "a=b", "authorization": "Basic dXNlcjpwYXNz"}, False),
        ("/operator/api/docs/", {"x_vx11_token": "x"}, False),
        ("/operator/api/schema/", {}, False),
        ("/operator/", {"x_vx11_token": "x"}, False),
        ("/admin/", {}, False),
        ("/health", {}, True),
        ("/metrics", {"cookie": "a=b"}, False),
    ],
)
def test_only_what_needs_no_session_takes_the_lean_way(path: str, headers: dict[str, str], lean: bool) -> None:  # noqa: FBT001
    from vx11_site.asgi import is_lean

    assert is_lean(scope(path, **headers)) is lean
