"""Rights that end while somebody reads: streams end in time, in all processes, also when Redis is no help."""

import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import Iterator, Sequence

import pytest

from gateway.tokens import digest
from tests.answers import assert_problem
from tests.client import API, Stream
from tests.conftest import OwnStack
from tests.stack.test_credentials import refusal_of
from tests.stack.test_sessions import User
from tests.stacks import Size, Stack
from vx11_client.reading.stream_reader import FINAL_REASONS

STREAM = f"{API}/events/stream"
# What is promised, and what a test machine that does other things as well may add.
END_SECONDS = 2.0
END_WITHOUT_REDIS_SECONDS = 20.0
SLACK_SECONDS = 1.0
IMPORTS = "from django.utils import timezone; from gateway.models import AccessToken\n"

# Several at once: a command for each would take longer than the test.
ISSUE = """
import json
from gateway import tokens
from gateway.models import AccessToken
texts = [tokens.mint("principal") for _ in range({count})]
for text in texts:
    AccessToken.objects.create(
        kind="principal", public_id=tokens.new_public_id("p"), digest=tokens.digest(text), name="to be changed",
        scopes=["events:read", "tickets:issue"],
    )
print(json.dumps(texts))
"""

# Ways in which a token loses rights: `tokens` is a queryset of that token.
TOKEN_CHANGES = {
    "revoked": "tokens.revoke(because='test')",
    "row saved as revoked": "token = tokens.get(); token.revoked_at = timezone.now(); token.save()",
    "updated": "tokens.update(revoked_at=timezone.now())",
    "deleted": "tokens.get().delete()",
    "deleted by query": "tokens.delete()",
    "expired": "tokens.update(expires_at=timezone.now())",
    "may not read": "tokens.update(scopes=['tickets:issue'])",
    "sees fewer modules": "token = tokens.get(); token.modules = ['switch']; token.save()",
    "user disabled": (
        "from django.contrib.auth.models import User; user = User.objects.create(username=name); "
        "tokens.update(user=user); user.is_active = False; user.save()"
    ),
}
USER_CHANGES = {
    "role without its user": "user.groups.get().user_set.remove(user)",
    "other password": "user.set_password('a quite different one'); user.save()",
}


@dataclasses.dataclass(frozen=True)
class Reader:
    """One who reads a stream, and the code that takes a right away."""

    change: str
    code: str
    stream: Stream
    ended_as: str = "revoked"


# A client takes "revoked" for the end; who may still read something comes back for it.
ENDED_AS = {"expired": "expired", "sees fewer modules": "rights_changed"}


def token_readers(stack: Stack, open_streams: contextlib.ExitStack, changes: Sequence[str]) -> Iterator[Reader]:
    """At each server in turn, so that a change made anywhere has to reach all."""
    issued = json.loads(stack.a.python(ISSUE.format(count=len(changes))))
    stack.credentials.update(issued)
    for token in issued:
        stack.wait_until_known(token)
    for index, (change, token) in enumerate(zip(changes, issued, strict=True)):
        stream = open_streams.enter_context(stack.client(token, server=stack.servers[index % 2 - 1]).stream())
        stream.connected()
        names = f"tokens = AccessToken.objects.filter(digest={digest(token)!r}); name = 'user-{secrets.token_hex(4)}'"
        code = f"{names}\n{TOKEN_CHANGES[change]}"
        yield Reader(change, code, stream, ENDED_AS.get(change, "revoked"))


def assert_streams_end(stack: Stack, readers: list[Reader], *, within_seconds: float) -> None:
    """All rights are taken at once; each stream ends in time, and says nothing more."""
    stack.a.python(IMPORTS + "\n".join(reader.code for reader in readers))
    changed_at = time.monotonic()
    for reader in readers:
        end = reader.stream.named("stream-end", timeout_seconds=within_seconds + SLACK_SECONDS)
        assert time.monotonic() - changed_at < within_seconds + SLACK_SECONDS, reader.change
        assert end.data["reason"] == reader.ended_as, reader.change
        assert reader.stream.rest() == []


def test_a18_a19_a20_whatever_takes_a_tokens_rights_ends_its_streams_at_every_server(stack: Stack) -> None:
    with contextlib.ExitStack() as open_streams:
        readers = list(token_readers(stack, open_streams, list(TOKEN_CHANGES)))
        assert_streams_end(stack, readers, within_seconds=END_SECONDS)


def test_a18_after_a_revocation_no_event_arrives(stack: Stack, marker: str) -> None:
    token, public_id = stack.issue_token("principal")
    service = stack.client(stack.service_token)
    with stack.client(token, server=stack.b).stream(correlation_id=marker) as stream:
        stream.connected()
        stack.revoke_token(public_id)
        revoked_at = time.monotonic()
        # A publisher that does not stop meanwhile: the next frame comes at once, until none comes any more.
        while next(stream.frames).name != "stream-end":
            assert time.monotonic() - revoked_at < END_SECONDS + SLACK_SECONDS
            service.published({"event_type": "late", "summary": "late", "correlation_id": marker})
        service.published({"event_type": "late", "summary": "late", "correlation_id": marker})
        assert stream.rest() == []


def test_a18_a19_while_redis_hangs_streams_of_the_revoked_end_too(stack_size: Size, own_stack: OwnStack) -> None:
    if stack_size == "embedded":
        pytest.skip("there is no Redis in an embedded stack")
    stack = own_stack()
    with contextlib.ExitStack() as open_streams:
        readers = list(token_readers(stack, open_streams, ["updated", "expired", "may not read", "user disabled"]))
        with stack.redis.hung():
            assert_streams_end(stack, readers, within_seconds=END_WITHOUT_REDIS_SECONDS)


def test_n11_a_module_that_is_added_to_a_token_makes_its_readers_come_back_for_it(stack: Stack, marker: str) -> None:
    token, public_id = stack.issue_token("principal", modules=("switch",))
    service = stack.client(stack.service_token)
    reader = stack.client(token, server=stack.b)
    with reader.stream() as stream:
        cursor = stream.connected().cursor
        find = f"token = AccessToken.objects.get(public_id={public_id!r})"
        stack.a.python(f"{IMPORTS}{find}; token.modules = ['switch', 'hermes']; token.save()")
        end = stream.named("stream-end")
        assert end.data["reason"] == "rights_changed"
        assert end.data["reason"] not in FINAL_REASONS
    event_id = service.published({"event_type": "a", "summary": "a", "module": "hermes", "correlation_id": marker})
    with reader.stream(last_event_id=cursor) as stream:
        assert stream.event()["event_id"] == event_id["event_id"]


def test_a19_whatever_takes_a_users_rights_ends_the_streams_of_its_session(stack: Stack) -> None:
    with contextlib.ExitStack() as open_streams:
        readers = []
        for index, (change, code) in enumerate(USER_CHANGES.items()):
            user = User(stack, "viewer")
            session = open_streams.enter_context(user.session())
            client = stack.client(None, server=stack.servers[index % len(stack.servers)])
            stream = open_streams.enter_context(client.stream(token=session.ticket()))
            stream.connected()
            find = f"from django.contrib.auth.models import User; user = User.objects.get(username={user.name!r})"
            readers.append(Reader(change, f"{find}\n{code}", stream))
        assert_streams_end(stack, readers, within_seconds=END_SECONDS)


def test_a20_a_token_that_was_deleted_in_the_admin_is_refused_by_every_server(stack: Stack) -> None:
    token, public_id = stack.issue_token("principal")
    administrator = User(stack)
    administrator.run("user.is_staff = user.is_superuser = True; user.save()")
    assert {stack.client(token, server=server).poll().status_code for server in stack.servers} == {200}
    find = f"from gateway.models import AccessToken; print(AccessToken.objects.get(public_id={public_id!r}).pk)"
    address = f"/admin/gateway/accesstoken/{stack.a.manage('shell', '-v0', '-c', find).strip()}/delete/"

    with administrator.session() as session:
        form = {"post": "yes", "csrfmiddlewaretoken": session.csrf_token}
        answer = session.browser.post(address, data=form, headers={"Origin": stack.a.url})
        assert answer.status_code == 302, answer.text

    for server in stack.servers:
        answer = refusal_of(stack.client(token, server=server))
        assert_problem(answer, 401, "main_auth_failed", detail="invalid_token")


def test_a21_a_stream_ends_when_its_principal_expires_and_not_later(stack: Stack) -> None:
    token, _ = stack.issue_token("principal", expires_in="3s")
    issued_at = time.monotonic()
    with stack.client(token, server=stack.b).stream() as stream:
        stream.connected()
        assert stream.named("stream-end").data["reason"] == "expired"
        # Expiry is looked for once a second. The token was issued before the command that did it had ended.
        assert time.monotonic() - issued_at < 3 + 1 + SLACK_SECONDS
        assert stream.rest() == []
