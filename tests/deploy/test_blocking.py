"""An address is blocked, and let in again, by the commands of the runbook and the nginx that is shipped."""

from pathlib import Path

import httpx2
import pytest

from tests import runbook_pages
from tests.deploy.shipped_nginx import PATH, ShippedNginx
from tests.waiting import wait_until

pytestmark = pytest.mark.once

PROGRAMS = {
    "nginx": 'exec /usr/sbin/nginx -p {folder} -e stderr -c {folder}/nginx.conf "$@"',
    "systemctl": 'test "$*" = "reload nginx" && kill -HUP "$(cat {folder}/nginx.pid)"',
}


def test_a_blocked_address_gets_nothing_until_its_line_is_removed(tmp_path: Path) -> None:
    nginx = ShippedNginx()
    with nginx:
        programs = tmp_path / "programs"
        programs.mkdir()
        for name, script in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{script.format(folder=nginx.folder)}\n")
            (programs / name).chmod(0o755)
        blocked = nginx.folder / "vx11-operator/blocked.conf"
        environment = {"PATH": f"{programs}:{PATH}", "BLOCKED": str(blocked), "ADDRESS": "127.0.0.1"}
        environment["VX11_PRINCIPAL_TOKEN"] = "none is needed"

        def reason() -> object:
            answer = httpx2.get(f"{nginx.url}/operator/api/status")
            assert answer.headers["Content-Type"] == "application/problem+json"
            return answer.json()["reason"]

        # There are no servers behind it.
        assert reason() == "dependency_unavailable"
        runbook_pages.run(runbook_pages.section("token-abuse.md", "Block an address"), environment)
        assert blocked.read_text() == "deny 127.0.0.1;\n"
        wait_until(lambda: reason() == "not_found", "the address is blocked")
        assert httpx2.get(f"{nginx.url}/static/x.js").status_code == 404
        blocked.unlink()
        runbook_pages.run("```sh\nsystemctl reload nginx\n```\n", environment)
        wait_until(lambda: reason() == "dependency_unavailable", "the address is let in")
