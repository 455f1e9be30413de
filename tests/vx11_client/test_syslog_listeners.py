"""Where a receiver listens: addresses are read strictly, and every refusal is one plain sentence."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import make_certificates
from vx11_client.errors import InvalidSettings
from vx11_client.spool.records import Transport
from vx11_client.syslog.listeners import Address, address_of, opened, tls_context


@contextlib.contextmanager
def bound(text: str, transport: Transport = Transport.TCP) -> Iterator[list[socket.socket]]:
    sockets = opened(address_of(text, transport))
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("5514", "127.0.0.1", 5514, "tcp 127.0.0.1:5514"),
        ("0", "127.0.0.1", 0, "tcp 127.0.0.1:0"),
        ("65535", "127.0.0.1", 65535, "tcp 127.0.0.1:65535"),
        ("*:5514", "", 5514, "tcp *:5514"),
        ("syslog.example.org:5514", "syslog.example.org", 5514, "tcp syslog.example.org:5514"),
        ("[::1]:5514", "::1", 5514, "tcp [::1]:5514"),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(text: str, host: str, port: int, shown: str) -> None:
    assert address_of(text, Transport.TCP) == Address(Transport.TCP, host, port)
    assert str(address_of(text, Transport.TCP)) == shown


@pytest.mark.parametrize(
    "text", ["", "65536", "-1", "port", "host:", "host:65536", "\u0663", ":5514", "::1:5514", "099999"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings):
        address_of(text, Transport.TCP)


def test_a_port_alone_is_open_to_this_machine_only() -> None:
    with bound("0") as [sock]:
        assert sock.getsockname()[0] == "127.0.0.1"
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def test_every_address_is_both_families_at_one_port() -> None:
    with bound("*:0") as sockets:
        assert {sock.getsockname()[1] for sock in sockets} == {sockets[0].getsockname()[1]}
        assert socket.AF_INET in {sock.family for sock in sockets}
        port = sockets[0].getsockname()[1]
        for sock in sockets:
            host = "::1" if sock.family == socket.AF_INET6 else "127.0.0.1"
            socket.create_connection((host, port), timeout=5).close()


def test_udp_does_not_take_the_port_of_another() -> None:
    with bound("0", Transport.UDP) as [sock]:
        port = sock.getsockname()[1]
        assert sock.type == socket.SOCK_DGRAM
        with pytest.raises(InvalidSettings, match=f"udp 127.0.0.1:{port} cannot be used: Address already in use"):
            opened(address_of(str(port), Transport.UDP))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def test_certificates_of_senders_are_asked_for_only_with_an_authority(certificates: Path) -> None:
    pair = (certificates / "server.crt", certificates / "server.key")
    assert tls_context(*pair, None).verify_mode == ssl.CERT_NONE
    context = tls_context(*pair, certificates / "ca.crt")
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("certificate", "key", "authority", "words"),
    [
        ("server.crt", "client.key", None, "must be PEM files that belong together"),
        ("server.key", "server.key", None, "must be PEM files that belong together"),
        ("server.crt", "protected.key", None, "the key without a pass phrase"),
        ("server.crt", "server.key", "server.key", "server.key holds no certificate in PEM form"),
        ("gone.crt", "server.key", None, "--certificate .*gone.crt cannot be read: No such file"),
        ("server.crt", "gone.key", None, "--key .*gone.key cannot be read: No such file"),
        ("server.crt", "server.key", "gone.crt", "--client-authority .*gone.crt cannot be read: No such file"),
        ("/dev/null", "server.key", None, "/dev/null is no file"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(
    certificates: Path, certificate: str, key: str, authority: str | None, words: str
) -> None:
    protected = certificates / "protected.key"
    protected.write_text("-----BEGIN ENCRYPTED PRIVATE " + "KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE " + "KEY-----\n")
    with pytest.raises(InvalidSettings, match=words):
        tls_context(certificates / certificate, certificates / key, certificates / authority if authority else None)
