"""Asking a backend as a gateway does, or as somebody who would like to be one."""

import httpx2

from gateway.backend.delegation import OPERATOR, OPERATOR_ADDRESS, OPERATOR_RIGHTS, OPERATOR_SESSION
from tests.client import Client
from tests.servers import RunningServer
from tests.stacks import Stack


def backend_client(stack: Stack, token: str | None, *, server: RunningServer | None = None) -> Client:
    return stack.client(token, server=server or stack.backends[0])


def in_the_name_of(public_id: str, *scopes: str, session_id: str = "") -> dict[str, str]:
    return {
        OPERATOR: public_id,
        OPERATOR_RIGHTS: " ".join(scopes),
        OPERATOR_SESSION: session_id,
        OPERATOR_ADDRESS: "10.0.0.9",
    }


def answers(response: httpx2.Response) -> str | None:
    """For whom the backend says its answer is."""
    return response.headers.get(OPERATOR)
