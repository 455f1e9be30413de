"""Messages whose answer is late when their server ends: it waits a little, and after a crash another one speaks."""

from concurrent.futures import ThreadPoolExecutor

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.operator_api.chat.fake_assistant import Assistant
from tests.processes import accepts_connections
from tests.stack.operators import window
from tests.stacks import Stack
from tests.waiting import wait_until

CHAT = f"{API}/chat"
# As if the minute and a half in which an answer may come were over.
LET_WAIT = """
from operator_api.models import ChatMessage
ChatMessage.objects.exclude(answer_due_at=None).update(answer_due_at="2026-01-01T00:00:00Z")
"""


def with_assistant(own_stack: OwnStack, assistant: Assistant) -> Stack:
    assistant.hold()
    return own_stack(
        VX11_CHAT_UPSTREAM_URL=assistant.url, VX11_CHAT_UPSTREAM_WAIT_MS="100", VX11_CHAT_UPSTREAM_TOKEN="of-no-worth"
    )


def ask(client: Client) -> Json:
    answer = client.post(CHAT, json={"message": "hello", "session_id": "s-1"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def roles(client: Client) -> list[str]:
    answer = client.get(CHAT, params={"session_id": "s-1"})
    return [message["role"] for message in answer.json()["messages"]]


def test_a_server_that_is_stopped_waits_for_the_answers_that_are_on_their_way(own_stack: OwnStack) -> None:
    with Assistant() as assistant, ThreadPoolExecutor(1) as pool:
        stack = with_assistant(own_stack, assistant)
        client = stack.client(stack.principal_token)
        with window(client):
            assert ask(client)["degraded"]
            stopping = pool.submit(stack.a.stop)
            wait_until(lambda: "waiting for the answers to 1 chat" in stack.a.process.log(), "it waits for the answer")
            assert not accepts_connections(stack.a.port)
            assistant.release()
            assert stopping.result(timeout=20) == 0
            stack.a.start()
            assert roles(client) == ["user", "system", "assistant"]


def test_after_a_crash_a_message_is_told_once_that_no_answer_came(own_stack: OwnStack) -> None:
    with Assistant() as assistant:
        stack = with_assistant(own_stack, assistant)
        client = stack.client(stack.principal_token)
        with window(client):
            question = ask(client)
            stack.a.kill()
            stack.a.python(LET_WAIT)
            stack.a.start()
            wait_until(lambda: len(roles(client)) == 3, "somebody says that no answer came")
            assert roles(client) == ["user", "system", "system"]
            last = client.get(CHAT, params={"session_id": "s-1"}).json()["messages"][-1]
            assert (last["in_reply_to"], "No answer came" in last["content"]) == (question["message_id"], True)
            told = client.polled(event_type="chat.message", limit=500)["events"]
            assert [event["payload"]["role"] for event in told] == ["user", "system", "system"]
            servers = [stack.client(stack.principal_token, server=server) for server in stack.servers]
            assert sum(metric(server, "vx11_chat_unanswered_total") for server in servers) == 1


def test_who_writes_too_often_is_told_when_to_go_on_and_servers_count_together(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_CHAT_RATE="4/30s")
    clients = [stack.client(stack.principal_token, server=server) for server in (stack.a, stack.b)]
    with window(clients[0]):
        answers = [client.post(CHAT, json={"message": "help"}) for client in clients * 4]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 4
        for answer in answers[4:]:
            assert_problem(answer, 429, "rate_limited")
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
        other = stack.client(stack.issue_token("principal", scopes=("events:read", "chat:write"))[0])
        assert other.post(CHAT, json={"message": "help"}).status_code == 200
