"""Senders of other formats over kills of the server: what they were told is stored is there, once where they have ids.

Those with senders of their own are tested beside their formats: OpenTelemetry's SDK in test_receive_otlp, Alertmanager
in test_receive_alertmanager, rsyslog and syslog-ng in tests/deploy.
"""

import hashlib
import hmac
import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.client import API
from tests.conftest import OwnStack
from tests.stack.test_receive_webhooks import GITHUB_KEY, make_hook
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

KILLS = 3
# Between kills; each sender sends one after the other, and goes on until the last kill is over.
CONFIRMED_BETWEEN_KILLS = 15
TRIES_SECONDS = 60
# Sends the record with this number until it is told that it is stored.
Send = Callable[[int], None]


class Sender(threading.Thread):
    """Sends numbers one after the other until it is told to stop, and keeps those that were confirmed."""

    def __init__(self, send: Send) -> None:
        super().__init__(daemon=True)
        self._send = send
        self.confirmed: list[int] = []
        self.stopping = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._send(len(self.confirmed))
                self.confirmed.append(len(self.confirmed))
        except Exception as error:  # noqa: BLE001 - the test raises it
            self.error = error


def by_curl(address: str, headers: dict[str, str], body: bytes) -> None:
    """As scripts do: it tries again by itself when there is no answer, or a 503."""
    options = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    retrying = ["--retry", str(TRIES_SECONDS), "--retry-delay", "1", "--retry-all-errors", "--noproxy", "*"]
    command = ["curl", "--fail", "--silent", "--show-error", *retrying, *options, "--data-binary", "@-", address]
    done = subprocess.run(command, input=body, capture_output=True, timeout=TRIES_SECONDS + 30, check=False)
    assert done.returncode == 0, done.stderr.decode()


def lines(stack: Stack, marker: str) -> Send:
    headers = {"X-VX11-Token": stack.service_token, "Content-Type": "application/x-ndjson"}

    def send(number: int) -> None:
        event = {"event_type": "x", "summary": f"number {number}", "module": f"{marker}-lines"}
        by_curl(
            f"{stack.a.url}{API}/ingest/ndjson",
            headers,
            json.dumps(event | {"event_id": f"{marker}-{number}"}).encode(),
        )

    return send


def loki(stack: Stack, marker: str) -> Send:
    headers = {"Authorization": f"Bearer {stack.service_token}", "Content-Type": "application/json"}

    def send(number: int) -> None:
        values = [[str(1_780_000_000_000_000_000 + number), f"number {number}"]]
        body = {"streams": [{"stream": {"job": f"{marker}-loki"}, "values": values}]}
        by_curl(f"{stack.a.url}{API}/ingest/loki/api/v1/push", headers, json.dumps(body).encode())

    return send


def github(stack: Stack, marker: str) -> Send:
    address = f"{stack.a.url}{make_hook(stack, 'github', own_module=f'{marker}-github')}"

    def send(number: int) -> None:
        body = json.dumps({"zen": f"number {number}"}).encode()
        digest = hmac.new(GITHUB_KEY, body, hashlib.sha256).hexdigest()
        named = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": f"{marker}-{number}"}
        by_curl(address, {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}", **named}, body)

    return send


def cloud_events(stack: Stack, marker: str) -> Send:
    """The SDK of the project makes the requests; what tries again is up to each program."""

    def send(number: int) -> None:
        attributes = {"id": str(number), "source": f"/{marker}-cloud", "type": "x", "specversion": "1.0"}
        in_mode = (to_binary_event, to_structured_event)[number % 2]
        message = in_mode(CloudEvent(attributes, {"message": f"number {number}"}))
        headers = {**message.headers, "Authorization": f"Bearer {stack.service_token}"}

        def is_taken() -> bool:
            try:
                answer = httpx2.post(
                    f"{stack.a.url}{API}/ingest/cloudevents",
                    content=message.body,
                    headers=headers,
                    trust_env=False,
                    timeout=5,
                )
            except httpx2.TransportError:
                return False
            assert answer.is_success or answer.status_code == 503, answer.text
            return answer.is_success

        wait_until(is_taken, "it is taken", timeout_seconds=TRIES_SECONDS)

    return send


KINDS = {"lines": lines, "cloud": cloud_events, "github": github, "loki": loki}
# Loki's push has no ids: what was stored without an answer is there twice.
WITHOUT_IDS = {"loki"}


def test_what_senders_were_told_is_stored_is_there_over_kills_and_once_where_they_have_ids(
    own_stack: OwnStack, marker: str
) -> None:
    stack = own_stack()
    senders = {kind: Sender(make(stack, marker)) for kind, make in KINDS.items()}
    for sender in senders.values():
        sender.start()
    for _ in range(KILLS):
        before = {kind: len(sender.confirmed) for kind, sender in senders.items()}
        wait_until(
            lambda before=before: all(  # type: ignore[misc]
                sender.error or len(sender.confirmed) >= before[kind] + CONFIRMED_BETWEEN_KILLS
                for kind, sender in senders.items()
            ),
            "all senders go on",
            timeout_seconds=60,
        )
        stack.a.kill()
        stack.a.start()
    for sender in senders.values():
        sender.stopping.set()
    with ThreadPoolExecutor() as waiting:
        list(waiting.map(lambda sender: sender.join(TRIES_SECONDS), senders.values()))
    assert {kind: sender.error for kind, sender in senders.items() if sender.error} == {}
    reader = stack.client(stack.principal_token)
    for kind, sender in senders.items():
        events = reader.all_events(module=f"{marker}-{kind}")
        found = Counter(int(event["summary"].rpartition(" ")[2]) for event in events)
        assert list(found) == sender.confirmed, kind
        if kind not in WITHOUT_IDS:
            assert set(found.values()) == {1}, kind
