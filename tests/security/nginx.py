"""A private nginx in front of the servers of a stack, with its defaults wherever nothing else is asked for."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from tests.processes import OwnProcess, accepts_connections, free_port
from tests.servers import RunningServer
from tests.stores import PrivateServer
from tests.waiting import wait_until

# Answers are buffered, as nginx does unless told otherwise: a stream says itself that it is not to be. The access log
# has no query.
CONFIGURATION = """
worker_processes 1;
daemon off;
{user}
pid nginx.pid;
error_log error.log {error_level};
events {{ worker_connections 256; }}
http {{
    log_format paths '$remote_addr "$request_method $uri" $status $body_bytes_sent';
    access_log access.log paths;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 8m;
    proxy_cache_path cache keys_zone=shared:1m;
    upstream operator {{
        {servers}
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port};
        {front_end}
        location / {{
            proxy_pass http://operator;
            proxy_http_version {http_version};
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_cache {cache};
            proxy_cache_valid 200 1m;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""
# A built front end beside the API, without the server behind knowing of it.
FRONT_END = """
        location /operator/ui/ {{
            include /etc/nginx/mime.types;
            alias {folder}/;
            try_files $uri /operator/ui/index.html;
        }}
"""


class PrivateNginx(PrivateServer):
    """`caches=True`: keeps what may be kept, for whoever asks for the same URL. `front_end`: a folder that it serves.

    With HTTP/1.0 to the servers, which is nginx's default, an answer without a length comes in no chunks: nginx gathers
    it until its buffers are full, if nobody asks it not to. Version 1.1 keeps connections, which smugglers need.
    """

    def __init__(
        self,
        servers: Iterable[RunningServer],
        *,
        error_level: str = "crit",
        caches: bool = False,
        http_version: str = "1.1",
        front_end: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="vx11-nginx-"))
        self.process = OwnProcess(self.folder / "nginx.log")
        addresses = dict.fromkeys(urlsplit(server.url).netloc for server in servers)
        self._configuration = CONFIGURATION.format(
            # A worker of root's nginx is somebody else, who may not use this folder.
            user="user root;" if os.geteuid() == 0 else "",
            error_level=error_level,
            http_version=http_version,
            servers=" ".join(f"server {address};" for address in addresses),
            port=self.port,
            cache="shared" if caches else "off",
            front_end=FRONT_END.format(folder=front_end) if front_end else "",
        )

    def start(self) -> None:
        path = self.folder / "nginx.conf"
        path.write_text(self._configuration, encoding="ascii")
        self.process.start(
            ["nginx", "-p", self.folder, "-e", "stderr", "-c", path],
            folder=self.folder,
            environment={"PATH": os.environ["PATH"] + os.pathsep + "/usr/sbin"},
        )
        wait_until(self._is_up, "nginx accepts connections")

    def stop(self) -> None:
        if self.process.running:
            self.process.end()

    def error_log(self) -> str:
        return (self.folder / "error.log").read_text(encoding="utf-8")

    def access_log(self) -> str:
        return (self.folder / "access.log").read_text(encoding="utf-8")

    def _is_up(self) -> bool:
        assert self.process.running, f"nginx ended:\n{self.process.log_tail()}"
        return accepts_connections(self.port)
