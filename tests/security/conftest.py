"""Fixtures of the security tests: nginx in front of the shared installation."""

from collections.abc import Iterator

import pytest

from tests.client import Client
from tests.security.nginx import PrivateNginx
from tests.stacks import Stack
from tests.units import ledger

__all__ = ["either_nginx", "ledger", "proxied", "shared_nginx"]


@pytest.fixture(scope="session")
def shared_nginx(shared_stack: Stack) -> Iterator[PrivateNginx]:
    with PrivateNginx(shared_stack.servers) as nginx:
        yield nginx


@pytest.fixture(scope="session", params=["1.0", "1.1"], ids="HTTP/{}".format)
def either_nginx(request: pytest.FixtureRequest, shared_stack: Stack) -> Iterator[PrivateNginx]:
    with PrivateNginx(shared_stack.servers, http_version=request.param) as nginx:
        yield nginx


@pytest.fixture
def proxied(stack: Stack, either_nginx: PrivateNginx) -> Client:
    """Speaks through nginx, with a principal token that has every right."""
    return Client(either_nginx.url, token=stack.principal_token, credentials=stack.credentials)
