"""Daphne, started from here: no stray access log (it would print tickets), one line per request of our own."""

import logging
import sys
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server

from vx11_site.logging import redact

logger = logging.getLogger("vx11.access")


def log_request(protocol: str, action: str, details: dict[str, Any]) -> None:
    """For Daphne's action_logger: called when a request is complete."""
    if protocol == "http" and action == "complete":
        logger.info(
            "%s %s %s %.3fs %s bytes",
            details["method"],
            redact(str(details["path"])),
            details["status"],
            details["time_taken"],
            details["size"],
        )


def serve(*, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    from vx11_site.asgi import application  # claims the right to serve, so only when we are going to

    def say_ready() -> None:
        sys.stdout.write(f"VX11 Operator serves at http://{host}:{port}/operator/ (Ctrl-C ends it)\n")
        sys.stdout.flush()

    Server(
        application=application,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        action_logger=log_request,
        ready_callable=say_ready,
        verbosity=1,
    ).run()
