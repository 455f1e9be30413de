"""nginx with its module nchan: fan-out in C, in one worker, in memory."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers import requests
from benchmarks.peers.peer import Peer
from tests.processes import OwnProcess, accepts_connections, free_port
from tests.waiting import wait_until

NAME = "nchan"
MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
PACKAGE = "libnginx-mod-nchan"
CONFIGURATION = """
load_module {module};
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
{user}
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections {files}; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location /events {{
            nchan_subscriber eventsource;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
        }}
        location /publish {{
            nchan_publisher http;
            nchan_channel_id bench;
            nchan_message_buffer_length 1000;
        }}
    }}
}}
"""
FILES = 16_000


def missing() -> str:
    """What would have to be installed; empty when nothing."""
    return "" if MODULE.exists() else f"Debian's {PACKAGE}"


def version() -> str:
    done = subprocess.run(["dpkg-query", "--show", PACKAGE], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


@contextmanager
def serving() -> Iterator[Peer]:
    with tempfile.TemporaryDirectory(prefix="vx11-nchan-") as name:
        folder, port = Path(name), free_port()
        # A worker of root's nginx is somebody else, who may not use this folder.
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(CONFIGURATION.format(module=MODULE, port=port, user=user, files=FILES))
        process = OwnProcess(folder / "nginx.log")
        process.start(
            ["nginx", "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"],
            folder=folder,
            environment={"PATH": os.environ["PATH"] + os.pathsep + "/usr/sbin"},
        )
        try:
            # nginx listens before it has a worker, whose CPU it is that counts.
            wait_until(lambda: accepts_connections(port) and _children(process.pid), "nginx has a worker")
            yield Peer(
                name=NAME,
                port=port,
                pids=(process.pid, *_children(process.pid)),
                openings=(requests.opening("/events"),),
                live=b"\r\n\r\n",
                publish=requests.publishing("/publish", requests.text()),
                published=(201, 202),
            )
        finally:
            if process.running:
                process.end()


def _children(pid: int) -> tuple[int, ...]:
    return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
