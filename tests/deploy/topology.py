"""An installation as deploy/ describes it, as processes: nginx, two gateways, two backends, PostgreSQL, Redis."""

from collections.abc import Mapping
from pathlib import Path

from tests.client import Client
from tests.deploy.shipped_nginx import ShippedNginx
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.stores import PrivatePostgres

# The stop of a server must not take longer than the tests have patience; streams still get their goodbyes.
DRAIN_SECONDS = 4


class Topology(Stack):
    """A split stack whose gateways find their backends through nginx, and whose clients find both gateways there."""

    def __init__(
        self, folder: Path, *, postgres: PrivatePostgres, environment: Mapping[str, str] | None = None, beside: str = ""
    ) -> None:
        own = {"VX11_TRUSTED_PROXIES": "127.0.0.1/32", "VX11_DRAIN_SECONDS": str(DRAIN_SECONDS)}
        super().__init__("split", folder, postgres=postgres, environment=own | dict(environment or {}))
        self.nginx = ShippedNginx(beside=beside)

    def start(self) -> None:
        super().start()
        self.nginx.gateways = [server.url for server in self.servers]
        self.nginx.backends = [server.url for server in self.backends]
        self._exit.enter_context(self.nginx)

    def proxied(self, token: str | None) -> Client:
        """Speaks through nginx."""
        return Client(self.nginx.url, token=token, credentials=self.credentials)

    def assert_clean_logs(self) -> None:
        super().assert_clean_logs()
        self.assert_no_credentials(self.nginx.logs(), "nginx's logs")

    def _gateway(self, name: str, environment: Mapping[str, str], backend_url: str) -> RunningServer:
        return super()._gateway(name, environment, self.nginx.backend_url)
