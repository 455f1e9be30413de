"""The gateways' token is replaced under load, by the steps of docs/roles.md, and nobody notices."""

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.client import API, Client
from tests.conftest import OwnStack
from tests.stack.operators import window
from tests.stacks import Stack
from tests.waiting import wait_until

ROUNDS = 2
# Of each client before the next step is taken.
ANSWERS_BETWEEN = 20


class Load:
    """Operators who read and write all the time, and what they were answered."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients
        self._enough = threading.Event()
        self.statuses: Counter[int] = Counter()

    def run(self, client: Client) -> None:
        number = 0
        while not self._enough.is_set():
            number += 1
            self.statuses[client.get(f"{API}/status").status_code] += 1
            written = client.post(f"{API}/settings", json={"settings": {"number": number}})
            self.statuses[written.status_code] += 1

    def more(self) -> None:
        """Wait until everybody has been answered some more."""
        wanted = self.statuses.total() + ANSWERS_BETWEEN * len(self._clients)
        wait_until(lambda: self.statuses.total() >= wanted, "more answers", timeout_seconds=30)

    def stop(self) -> None:
        self._enough.set()


def replace_token(stack: Stack, new: str) -> None:
    fresh = stack.token_file.with_suffix(".new")
    fresh.write_text(new)
    os.replace(fresh, stack.token_file)


# Commands that issue and revoke take seconds each on a busy machine.
@pytest.mark.timeout(180)
def test_a_gateways_token_is_replaced_without_a_lost_request(own_stack: OwnStack) -> None:
    stack = own_stack()
    principal = stack.client(stack.principal_token)
    token, public_id = stack.issue_token("service", scopes=("operator:forward",))
    replace_token(stack, token)
    load = Load([stack.client(stack.principal_token, server=server) for server in stack.servers])
    with window(principal, mode="hold"), ThreadPoolExecutor(len(stack.servers)) as people:
        asking = [people.submit(load.run, client) for client in load._clients]
        try:
            load.more()
            for _ in range(ROUNDS):
                token, following = stack.issue_token("service", scopes=("operator:forward",))
                load.more()
                replace_token(stack, token)
                # At once, although no gateway may have read the file yet.
                stack.revoke_token(public_id)
                load.more()
                public_id = following
        finally:
            load.stop()
        for future in asking:
            future.result()
    assert set(load.statuses) == {200}
