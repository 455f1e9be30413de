"""A backend behind TLS proves who it is, and so does its gateway (mTLS)."""

import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_django import Settings

from gateway.backend.client import Backend, BackendUnavailable, Question
from gateway.backend.service_tokens import ServiceTokens
from tests.certificates import make_certificates
from tests.gateway.backend.fake_backend import FakeBackend, http_answer

QUESTION = Question("GET", "status", "", {}, b"")
NewBackend = Callable[[], Backend]


class TlsBackend(FakeBackend):
    """Shows server.crt, and wants a certificate of the same authority."""

    def __init__(self, certificates: Path) -> None:
        super().__init__(http_answer())
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates / "ca.crt"))
        self.tls.load_cert_chain(certificates / "server.crt", certificates / "server.key")
        self.tls.verify_mode = ssl.CERT_REQUIRED


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    make_certificates(tmp_path)
    return tmp_path


@pytest_asyncio.fixture
async def new_backend(certificates: Path) -> AsyncIterator[NewBackend]:
    made: list[Backend] = []
    async with TlsBackend(certificates) as fake:

        def make() -> Backend:
            made.append(Backend(fake.url, ServiceTokens(lambda _before: ("one",))))
            return made[-1]

        yield make
        for backend in made:
            await backend.close()


def show(settings: Settings, certificates: Path, name: str, *, authority: str = "ca") -> None:
    settings.BACKEND_TLS_CA = str(certificates / f"{authority}.crt")
    settings.BACKEND_TLS_CERT, settings.BACKEND_TLS_KEY = (
        str(certificates / f"{name}.{end}") for end in ("crt", "key")
    )


async def test_a_gateway_with_its_certificate_is_answered(
    settings: Settings, certificates: Path, new_backend: NewBackend
) -> None:
    show(settings, certificates, "client")
    assert (await new_backend().ask(QUESTION)).status == 200


@pytest.mark.parametrize(("name", "authority"), [("stranger", "ca"), ("client", "other")])
async def test_a_certificate_of_another_authority_is_refused_on_either_side(
    settings: Settings, certificates: Path, new_backend: NewBackend, name: str, authority: str
) -> None:
    show(settings, certificates, name, authority=authority)
    with pytest.raises(BackendUnavailable) as unavailable:
        await new_backend().ask(QUESTION)
    assert unavailable.value.outcome == "away"


async def test_without_a_certificate_the_backend_is_away(
    settings: Settings, certificates: Path, new_backend: NewBackend
) -> None:
    settings.BACKEND_TLS_CA = str(certificates / "ca.crt")
    with pytest.raises(BackendUnavailable):
        await new_backend().ask(QUESTION)
