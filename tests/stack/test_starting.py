"""Starting and restarting: data is kept, the environment's tokens are what counts, mistakes are said aloud."""

import json
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client, Json
from tests.conftest import OwnStack
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.waiting import wait_until


def new_token() -> str:
    return f"rotated-{secrets.token_hex(16)}"


def test_a_restart_keeps_events_tokens_and_the_epoch(own_stack: OwnStack, new_event: Callable[..., Json]) -> None:
    stack = own_stack()
    token, _ = stack.issue_token("principal")
    first = stack.client(stack.service_token).published(new_event())

    for server in stack.servers:
        server.restart()

    page = stack.client(token).polled()
    assert [event["event_id"] for event in page["events"]] == [first["event_id"]]
    second = stack.client(stack.service_token).published(new_event())
    assert second["seq"] == first["seq"] + 1
    assert second["cursor"].rpartition("-")[0] == first["cursor"].rpartition("-")[0]


def test_several_tokens_of_the_environment_are_valid_and_one_that_is_gone_is_not(own_stack: OwnStack) -> None:
    old, new = new_token(), new_token()
    stack = own_stack(VX11_PRINCIPAL_TOKEN=f"{old},{new}")
    stack.credentials |= {old, new}
    assert [stack.client(token).issue_ticket().status_code for token in (old, new)] == [200, 200]

    for server in stack.servers:
        server.environment["VX11_PRINCIPAL_TOKEN"] = new
        server.restart()

    # Over the restart and a minute longer; tests/gateway/identity/test_environment_tokens.py has its end.
    assert [stack.client(token).issue_ticket().status_code for token in (old, new)] == [200, 200]
    public_id = stack.a.python(
        "from gateway.models import AccessToken; from gateway import tokens; "
        f"print(AccessToken.objects.get(digest=tokens.digest({old!r})).public_id)"
    ).strip()
    stack.a.manage("revoke_token", public_id)
    wait_until(lambda: stack.client(old).issue_ticket().status_code == 401, "the old token is refused")
    assert stack.client(new).issue_ticket().status_code == 200


def test_a_process_without_its_secrets_ends_no_token_of_the_fleet(own_stack: OwnStack, stack_size: str) -> None:
    if stack_size == "embedded":
        pytest.skip("there is one process on SQLite")
    stack = own_stack()
    secrets_of_a = ("VX11_PRINCIPAL_TOKEN", "VX11_SERVICE_TOKEN")
    bare = {name: value for name, value in stack.a.environment.items() if name not in secrets_of_a}
    third = RunningServer(stack.folder / "third", bare)
    third.start()
    try:
        assert stack.client(stack.principal_token, server=third).issue_ticket().status_code == 200
        assert stack.client(stack.principal_token).issue_ticket().status_code == 200
        done = third.run_manage("doctor", "--json")
        said = [finding["found"] for finding in json.loads(done.stdout)["findings"] if finding["area"] == "tokens"]
        assert [text for text in said if "was started without" in text and f":{third.pid} " in text], said
    finally:
        third.stop()


def test_a_secret_may_come_in_a_file(own_stack: OwnStack, tmp_path: Path) -> None:
    token = new_token()
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    stack = own_stack(VX11_SERVICE_TOKEN="", VX11_SERVICE_TOKEN_FILE=str(file))
    for server in stack.servers:
        del server.environment["VX11_SERVICE_TOKEN"]
        server.restart()
    stack.credentials |= {token}
    answer = stack.client(token).publish({"event_type": "test.happened", "summary": "x"})
    assert answer.status_code == 201


@pytest.mark.parametrize("token", ["short", "550e8400-e29b-41d4-a716-446655440000"])
def test_a_token_that_is_short_or_looks_like_a_ticket_is_named_by_the_checks(stack: Stack, token: str) -> None:
    server = RunningServer(stack.folder / "unsafe", {**stack.a.environment, "VX11_PRINCIPAL_TOKEN": token})
    done = server.run_manage("check", "--deploy")
    assert done.returncode != 0
    assert "VX11_PRINCIPAL_TOKEN" in done.stderr
    assert token not in done.stdout + done.stderr


def test_a_variable_that_looks_like_ours_and_is_not_is_named_at_the_start(own_stack: OwnStack) -> None:
    assert "VX11_PRINCIPLE_TOKEN" in own_stack(VX11_PRINCIPLE_TOKEN="x").a.process.log()


@pytest.mark.parametrize("name", ["REDIS_URL", "DATABASE_URL"])
def test_a_name_without_our_prefix_is_named_at_the_start(own_stack: OwnStack, stack_size: str, name: str) -> None:
    if stack_size == "scaled":
        pytest.skip("with VX11_REDIS_URL set, REDIS_URL may be somebody else's")
    assert f"VX11_{name}" in own_stack(**{name: "redis://127.0.0.1:1/0"}).a.process.log()


def test_a_setting_that_cannot_be_used_is_named_and_the_server_does_not_start(stack: Stack) -> None:
    server = RunningServer(stack.folder / "bad", {**stack.a.environment, "VX11_HEARTBEAT_SECONDS": "often"})
    done = server.run_manage("serve", "--host", "127.0.0.1", "--port", str(server.port))
    assert done.returncode != 0
    assert "VX11_HEARTBEAT_SECONDS" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_server_without_redis_is_refused_and_told_why(own_stack: OwnStack, stack_size: str) -> None:
    if stack_size == "scaled":
        pytest.skip("a scaled stack has Redis")
    stack = own_stack()
    second = RunningServer(stack.folder / "second", stack.a.environment)

    done = second.run_manage("serve", "--host", "127.0.0.1", "--port", str(second.port))

    assert done.returncode != 0
    assert "VX11_REDIS_URL" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert stack.client(None).get("/health").status_code == 200


def test_a_killed_server_is_not_in_the_way_of_its_successor(own_stack: OwnStack) -> None:
    stack = own_stack()
    stack.a.kill()
    stack.a.start()
    assert stack.client(stack.principal_token).issue_ticket().status_code == 200


def test_the_key_of_an_embedded_installation_is_for_its_owner_only(stack: Stack) -> None:
    if stack.size == "scaled":
        pytest.skip("the key of a scaled stack comes from the environment")
    [key] = (stack.folder / "a" / "data").glob("secret_key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a30_no_credential_is_in_the_database(stack: Stack, principal: Client, service: Client) -> None:
    ticket = principal.ticket()
    issued, _ = stack.issue_token("service")
    service.published({"event_type": "test.happened", "summary": "x"})
    stack.client(issued).published({"event_type": "test.happened", "summary": "y"})

    def dump() -> bytes:
        if stack.size == "scaled":
            return stack.postgres.dump(stack.a.environment["VX11_DATABASE_URL"])
        return b"".join(file.read_bytes() for file in (stack.folder / "a" / "data").glob("*.sqlite3*"))

    # The audit row of the ticket is there, so this is the right place to look.
    content = wait_until(dump, "the database has content")
    assert b"gateway_" in content
    assert [secret for secret in (ticket, *stack.credentials) if secret.encode() in content] == []


def test_a_port_that_is_taken_is_a_failure_that_a_supervisor_sees(stack: Stack, tmp_path: Path) -> None:
    second = RunningServer(tmp_path, {}, port=stack.a.port)
    second.manage("migrate", "--no-input")
    done = second.run_manage("serve", "--port", str(second.port))
    assert done.returncode == 1
    assert "in use" in done.stderr
