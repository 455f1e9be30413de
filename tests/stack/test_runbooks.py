"""Every command of every runbook does what its page says on an installation that is well."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import runbook_pages
from tests.conftest import OwnStack
from tests.runbook_pages import PAGES
from tests.servers import ROOT
from tests.stacks import Stack

NEEDS_REDIS = {"redis-away.md"}
RESTARTS = {"service-recovery.md", "rollback.md", "token-abuse.md"}
pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("page", sorted(set(PAGES) - RESTARTS))
def test_every_command_of_the_page_works(page: str, stack: Stack, tmp_path: Path) -> None:
    if page in NEEDS_REDIS and stack.size == "embedded":
        pytest.skip("an embedded installation has no Redis")
    with runbook_pages.host_of(stack, tmp_path) as environment:
        assert runbook_pages.run(runbook_pages.text(page), environment)


def test_settings_that_are_files_are_read_as_the_index_says(stack: Stack, tmp_path: Path) -> None:
    if stack.size == "embedded":
        pytest.skip("an embedded installation has no Redis")
    with runbook_pages.host_of(stack, tmp_path) as environment:
        for name in ("VX11_PRINCIPAL_TOKEN", "VX11_DATABASE_URL", "VX11_REDIS_URL"):
            file = tmp_path / name.lower()
            file.touch(mode=0o600)
            file.write_text(f"{environment.pop(name)}\n")
            environment[f"{name}_FILE"] = str(file)
        assert "PONG" in runbook_pages.run(runbook_pages.text("redis-away.md"), environment)
        assert "max" in runbook_pages.run(runbook_pages.section("database-away.md", "See"), environment)


def test_a_service_is_restarted_as_its_page_says(own_stack: OwnStack, tmp_path: Path) -> None:
    stack = own_stack()
    before = stack.a.pid
    with runbook_pages.host_of(stack, tmp_path) as environment:
        runbook_pages.run(runbook_pages.text("service-recovery.md"), environment)
    assert stack.a.pid != before


def test_against_abuse_tokens_end_addresses_are_blocked_and_tickets_are_shorter(
    own_stack: OwnStack, tmp_path: Path
) -> None:
    stack = own_stack()
    with runbook_pages.host_of(stack, tmp_path) as environment:
        runbook_pages.run(runbook_pages.text("token-abuse.md"), environment)
        assert Path(environment["BLOCKED"]).read_text() == "deny 203.0.113.7;\n"
    revoked = [
        json.loads(line) for line in stack.a.manage("list_audit", "--action", "token_revoked", "--json").splitlines()
    ]
    assert len(revoked) == 1
    for server in stack.servers:
        issued = stack.client(stack.principal_token, server=server).issue_ticket()
        assert issued.json()["ttl_sec"] == 20
        # As libraries write at that level.
        assert " DEBUG " in server.process.log()
        assert stack.principal_token not in server.process.log()


def test_a_deploy_is_rolled_back_as_its_page_says(own_stack: OwnStack, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
    # The environment is there, and newer than what it was made from.
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    os.utime(checkout / "requirements.lock", (0, 0))
    stack = own_stack()
    before = [server.pid for server in stack.servers]
    with runbook_pages.host_of(stack, tmp_path) as environment:
        runbook_pages.run(runbook_pages.text("rollback.md"), environment, folder=checkout)
    assert not set(before) & {server.pid for server in stack.servers}
