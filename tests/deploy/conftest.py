"""Fixtures of the deployment tests: the whole topology, once for those who only ask it, and anew for who breaks it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.client import Client
from tests.conftest import POSTGRES
from tests.deploy.topology import Topology
from tests.stacks import Size
from tests.stores import PrivatePostgres

OwnTopology = Callable[..., Topology]


@pytest.fixture(scope="session")
def postgres(stack_size: Size, pytestconfig: pytest.Config) -> PrivatePostgres:
    if stack_size != "scaled":
        pytest.skip("the topology is the same whatever else is tested; it is tested with --stack=scaled")
    found = pytestconfig.stash[POSTGRES]
    assert found is not None
    return found


@pytest.fixture(scope="session")
def shared_topology(postgres: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with Topology(tmp_path_factory.mktemp("topology"), postgres=postgres) as topology:
        yield topology


@pytest.fixture
def topology(shared_topology: Topology) -> Iterator[Topology]:
    """Whoever stops anything takes `own_topology` instead."""
    yield shared_topology
    shared_topology.assert_clean_logs()


@pytest.fixture
def own_topology(postgres: PrivatePostgres, tmp_path: Path) -> Iterator[OwnTopology]:
    with ExitStack() as started:

        def start(*, beside: str = "") -> Topology:
            new = Topology(tmp_path / "topology", postgres=postgres, beside=beside)
            started.enter_context(new)
            # Runs before the topology is stopped, when nginx's logs are still there.
            started.callback(new.assert_clean_logs)
            return new

        yield start


@pytest.fixture
def proxied(topology: Topology) -> Client:
    """Speaks through nginx with a principal token that has every right."""
    return topology.proxied(topology.principal_token)


@pytest.fixture
def proxied_service(topology: Topology) -> Client:
    return topology.proxied(topology.service_token)
