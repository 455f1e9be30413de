"""No delivery reaches our own network: by its address, by a name, by a redirect, by another form of an address."""

import ipaddress
import socket
import threading
from typing import Any

import pytest

from tests.watches.delivery.receivers import http_receiver
from watches import notices
from watches.delivery import addresses, guard, posting, senders
from watches.delivery.guard import AddressRefused, guarded, is_allowed
from watches.delivery.posting import NotTaken
from watches.delivery.senders import NotSent

CONTENT = notices.of_test("t", "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.7", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1"),
        *(
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "fec0::1",
            "::7f00:1",
            "::ffff:0:7f00:1",
            "192.88.99.1",
        ),
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused):
        guard.check(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_public_is_allowed(address: str) -> None:
    guard.check(address)


def test_a_name_in_place_of_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="name"):
        guard.check("localhost")


def test_a_network_that_is_named_is_allowed_and_no_other(settings: Any) -> None:
    settings.DELIVERY_NETWORKS = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")]
    for address in ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3"):
        guard.check(address)
    with pytest.raises(AddressRefused):
        guard.check("10.2.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_a_notice_to_this_machine_is_refused_when_it_connects_and_says_so(host: str) -> None:
    with http_receiver() as (server, received):
        if not host.startswith("["):
            # Apprise reads no address of IPv6.
            with pytest.raises(NotSent, match="not a public address"):
                senders.send(f"json://{host}:{server.port}/", CONTENT, "id")
        with pytest.raises(NotSent, match="not a public address"):
            senders.send(f"alertmanager://{host}:{server.port}/", CONTENT, "id")
    assert received.requests == []


def test_a_name_that_leads_to_this_machine_only_when_it_is_connected_to_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server may answer a first question with a public address, and the next one with a private one."""
    real, answers = socket.getaddrinfo, iter(["8.8.8.8"])

    def rebinding(host: str, port: int, *args: Any, **options: Any) -> Any:
        if host != "rebinding.example":
            return real(host, port, *args, **options)
        return real(next(answers, "127.0.0.1"), port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert socket.getaddrinfo("rebinding.example", 80)[0][4][0] == "8.8.8.8"
    with http_receiver() as (server, received), pytest.raises(NotSent, match="not a public address"):
        senders.send(f"json://rebinding.example:{server.port}/", CONTENT, "id")
    assert received.requests == []


def test_a_redirect_into_our_network_is_refused(settings: Any) -> None:
    with http_receiver() as (inside, received), http_receiver() as (outside, first):
        settings.DELIVERY_NETWORKS = [ipaddress.ip_network("127.0.0.2/32")]
        first.answers, first.headers = [302], {"Location": f"http://127.0.0.1:{inside.port}/"}
        relay = _forwarder("127.0.0.2", outside.port)
        try:
            with pytest.raises(NotSent):
                senders.send(f"json://127.0.0.2:{relay.getsockname()[1]}/", CONTENT, "id")
            with guarded(), pytest.raises(NotTaken, match="302"):
                posting.post_json(f"http://127.0.0.2:{relay.getsockname()[1]}/", {}, headers={})
        finally:
            relay.close()
    assert first.requests
    assert received.requests == []


def test_other_threads_connect_as_ever() -> None:
    with http_receiver() as (server, _), guarded():
        outcome: list[str] = []

        def connect() -> None:
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
            outcome.append("connected")

        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
        assert outcome == ["connected"]
        with pytest.raises(AddressRefused):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
    with http_receiver() as (server, _):
        socket.create_connection(("127.0.0.1", server.port), timeout=5).close()


def _forwarder(host: str, port: int) -> socket.socket:
    """Listens at another address of this machine, and hands two connections on."""
    listening = socket.create_server((host, 0))

    def carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def serve() -> None:
        try:
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=carry, args=(client, server), daemon=True).start()
                threading.Thread(target=carry, args=(server, client), daemon=True).start()
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    return listening


@pytest.mark.parametrize(
    "option",
    ["template=/etc/passwd", "TEMPLATE=http://a.b/", "pgppub=/etc/passwd", "a=b&attach=/etc/passwd", "a=b;wkd=x"],
)
def test_an_address_that_reads_a_file_or_another_address_is_refused(option: str) -> None:
    with pytest.raises(addresses.BadAddress):
        addresses.check(f"discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?{option}")


def test_a_host_that_took_it_at_its_second_address_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sender:
        """As of Apprise: it tries one address of a host after the other."""

        def notify(self, **_: object) -> bool:
            return True

    monkeypatch.setattr(senders, "instantiate", lambda _: Sender())
    with guard.guarded() as refusals:
        refusals.append("fd00::1 is not a public address")
        senders._send_by_apprise("json://both.example/", CONTENT, "n-1", refusals)
