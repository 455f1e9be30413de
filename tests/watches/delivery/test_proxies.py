"""Proxies of this machine's environment do not carry deliveries past the guard, unless a setting says so."""

import base64
import ipaddress
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.watches.delivery.receivers import Received, http_receiver
from watches import notices
from watches.delivery import posting, senders
from watches.delivery.guard import guarded
from watches.delivery.posting import NotTaken
from watches.delivery.senders import NotSent

CONTENT = notices.of_test("t", "2026-01-01T00:00:00Z")
# Of documentation (RFC 5737): nothing is there, and it is not public.
INSIDE = "192.0.2.1"
VARIABLES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture
def proxy(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A proxy on this machine, which is allowed; what was asked of it."""
    settings.DELIVERY_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    with http_receiver() as (server, received):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, server.address)
        yield received


def send_each_way() -> list[str]:
    """By Apprise, to an Alertmanager, and to a webhook: what went wrong with each, "" for nothing."""
    problems = []
    for address in (f"json://{INSIDE}/", f"alertmanager://{INSIDE}:80/"):
        try:
            senders.send(address, CONTENT, "id")
            problems.append("")
        except NotSent as problem:
            problems.append(str(problem))
    try:
        with guarded():
            posting.post(f"http://{INSIDE}/", b"{}", headers={})
        problems.append("")
    except NotTaken as problem:
        problems.append(str(problem))
    return problems


def test_a_proxy_of_the_environment_does_not_carry_deliveries_past_the_guard(proxy: Received) -> None:
    problems = send_each_way()
    assert proxy.requests == []
    assert [INSIDE in problem and "not a public address" in problem for problem in problems] == [True] * 3


def test_with_the_setting_deliveries_go_through_the_proxy(proxy: Received, settings: Any) -> None:
    settings.DELIVERY_PROXIES = True
    assert send_each_way() == ["", "", ""]
    assert all(path.startswith(f"http://{INSIDE}") for path, _, _ in proxy.requests)
    assert len(proxy.requests) == 3


def test_a_proxy_that_is_in_no_allowed_network_is_refused_too(proxy: Received, settings: Any) -> None:
    settings.DELIVERY_PROXIES, settings.DELIVERY_NETWORKS = True, []
    assert all("127.0.0.1 is not a public address" in problem for problem in send_each_way())
    assert proxy.requests == []


def test_passwords_of_this_machine_are_not_sent_to_targets(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.DELIVERY_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login olga password geheim\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with http_receiver() as (server, received):
        senders.send(f"json://127.0.0.1:{server.port}/", CONTENT, "id")
        senders.send(f"json://eve:own@127.0.0.1:{server.port}/", CONTENT, "id")
    sent = [headers.get("authorization") for _, headers, _ in received.requests]
    assert sent == [None, f"Basic {base64.b64encode(b'eve:own').decode()}"]


def test_other_threads_use_the_environment_as_ever(proxy: Received) -> None:
    senders.instantiate("json://127.0.0.1/")
    answers: list[int] = []

    def post() -> None:
        answers.append(requests.post(f"http://{INSIDE}/", data=b"{}", timeout=5).status_code)

    thread = threading.Thread(target=post)
    with guarded():
        thread.start()
        thread.join()
    assert answers == [200]
    assert len(proxy.requests) == 1
