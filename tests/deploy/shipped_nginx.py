"""nginx with the configuration of deploy/nginx: only ports, paths, the user and the certificate are a test's own."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.certificates import make_self_signed
from tests.processes import OwnProcess, accepts_connections, free_port
from tests.servers import ROOT
from tests.stores import PrivateServer
from tests.waiting import wait_until

SHIPPED = ROOT / "deploy/nginx"
FOLDER = SHIPPED / "vx11-operator"
PATH = os.environ["PATH"] + os.pathsep + "/usr/sbin"


class ShippedNginx(PrivateServer):
    """Listens with TLS at `https`, without at `url`, and for gateways at `backend_url`.

    `gateways` and `backends` are URLs, two of each as in the shipped files, to be set before the start; `beside` holds
    lines that somebody has put into the `http` block besides, `changes` what somebody has changed in the files.
    """

    def __init__(self, *, beside: str = "", changes: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vx11-shipped-nginx-"))
        self.process = OwnProcess(self.folder / "nginx.log")
        self.ports = ports = {name: free_port() for name in ("redirect", "tls", "plain", "backends")}
        self.url = f"http://127.0.0.1:{ports['plain']}"
        self.https = f"https://127.0.0.1:{ports['tls']}"
        self.redirect_url = f"http://127.0.0.1:{ports['redirect']}"
        self.backend_url = f"http://127.0.0.1:{ports['backends']}"
        self.files = self.folder / "www"
        self.certificate = self.folder / "certificate.pem"
        self._beside = beside
        self._changes = dict(changes or {})
        self.gateways = ["http://127.0.0.1:8001", "http://127.0.0.1:8002"]
        self.backends = ["http://127.0.0.1:8201", "http://127.0.0.1:8202"]

    def start(self) -> None:
        if not self.certificate.exists():
            self._write()
        command = [
            "nginx",
            "-p",
            str(self.folder),
            "-e",
            "stderr",
            "-c",
            str(self.folder / "nginx.conf"),
            "-g",
            "daemon off;",
        ]
        self.process.start(command, folder=self.folder, environment={"PATH": PATH})
        wait_until(self._is_up, "nginx accepts connections")

    def stop(self) -> None:
        if self.process.running:
            self.process.end()

    def tested(self) -> subprocess.CompletedProcess[str]:
        """What `nginx -t` says, of an nginx that is not started afterwards."""
        command = ["nginx", "-t", "-e", "stderr", "-c", str(self.folder / "nginx.conf")]
        try:
            self._write()
            return subprocess.run(command, check=False, env={"PATH": PATH}, capture_output=True, text=True)
        finally:
            shutil.rmtree(self.folder)

    def access_log(self) -> list[dict[str, Any]]:
        path = self.folder / "vx11-operator.access.log"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def logs(self) -> str:
        """Everything that this nginx has written anywhere."""
        return "\n".join(path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("*.log")))

    def _write(self) -> None:
        names = {"nginx.conf": "nginx.conf", "backends.conf": "conf.d/vx11-backends.conf"}
        # Both sites are served side by side here, so one of them finds there already what they share.
        names |= {"vx11-operator.conf": "conf.d/vx11-operator.conf", "plain.conf": "conf.d/vx11-plain.conf"}
        names |= {f"vx11-operator/{path.name}": f"vx11-operator/{path.name}" for path in FOLDER.iterdir()}
        changes = self._own_paths() | self._own_ports() | self._own_servers() | self._changes
        used = set()
        for name, installed in names.items():
            text = (SHIPPED / name).read_text(encoding="utf-8")
            for old, new in changes.items():
                used |= {old} if old in text else set()
                text = text.replace(old, new)
            if name == "plain.conf":
                text = re.sub(r"^include .*\n", "", text, flags=re.MULTILINE)
            path = self.folder / installed
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert used == set(changes), f"no longer in the files: {set(changes) - used}"
        (self.folder / "conf.d/beside.conf").write_text(self._beside, encoding="utf-8")
        make_self_signed(self.folder)

    def _own_paths(self) -> dict[str, str]:
        # A worker of root's nginx is somebody else, who may not use this folder.
        user = {"user www-data;": "user root;" if os.geteuid() == 0 else ""}
        # Debian's nginx has its places compiled in; others may not write there.
        temporary = "".join(
            f"    {kind}_temp_path {self.folder}/{kind};\n" for kind in ("proxy", "fastcgi", "uwsgi", "scgi")
        )
        return user | {
            "    access_log off;\n    server_tokens": (
                f"    access_log off;\n    client_body_temp_path {self.folder}/body;\n{temporary}    server_tokens"
            ),
            "pid /run/nginx.pid": f"pid {self.folder}/nginx.pid",
            "/etc/nginx/conf.d/": f"{self.folder}/conf.d/",
            "/etc/nginx/vx11-operator/": f"{self.folder}/vx11-operator/",
            "/etc/ssl/vx11-operator/": f"{self.folder}/",
            "/var/log/nginx/": f"{self.folder}/",
            "/var/www/vx11-operator": str(self.files),
            "/var/www/acme": str(self.folder / "acme"),
        }

    def _own_ports(self) -> dict[str, str]:
        # Not every machine speaks IPv6.
        return {
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            "    listen [::]:8080;\n": "",
            "listen 80;": f"listen 127.0.0.1:{self.ports['redirect']};",
            "listen 443 ": f"listen 127.0.0.1:{self.ports['tls']} ",
            "listen 8080;": f"listen 127.0.0.1:{self.ports['plain']};",
            "listen 127.0.0.1:8100;": f"listen 127.0.0.1:{self.ports['backends']};",
        }

    def _own_servers(self) -> dict[str, str]:
        shipped = ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8201", "127.0.0.1:8202"]
        own = [urlsplit(url).netloc for url in [*self.gateways, *self.backends]]
        return {f"server {old} ": f"server {new} " for old, new in zip(shipped, own, strict=True)}

    def _is_up(self) -> bool:
        assert self.process.running, f"nginx ended:\n{self.process.log_tail()}"
        return all(accepts_connections(port) for port in self.ports.values())
