"""The role of this process, and whether a gateway's backend answers and accepts its token."""

import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from gateway.backend import delegation
from gateway.backend.client import REFUSALS_OF_TOKENS, tls_for
from vx11_site.doctor.findings import Finding, fail, ok, warn

REPAIR = "Start it, or correct VX11_BACKEND_URL; see its own log. Until then operators get 503 for all but status."
NEW_TOKEN = "Issue one: manage.py issue_token --kind service --scope operator:forward --name gateway"  # noqa: S105 - how
ANSWER_SECONDS = 1.5
WITHOUT_A_BACKEND = {"all": "all: everything is served here", "backend": "backend: serves its gateways under /api/"}


def probe() -> Iterator[Finding]:
    if settings.ROLE in WITHOUT_A_BACKEND:
        yield ok(WITHOUT_A_BACKEND[settings.ROLE])
        return
    # The area "configuration" reports what is missing.
    if settings.BACKEND_URL and settings.SERVICE_TOKENS:
        yield from _backend(settings.SERVICE_TOKENS)


def _backend(tokens: Sequence[str]) -> Iterator[Finding]:
    with httpx2.Client(trust_env=False, timeout=ANSWER_SECONDS, verify=tls_for(settings.BACKEND_URL)) as client:
        started = time.perf_counter()
        answers = [_status_from_backend(client, token) for token in tokens]
        milliseconds = (time.perf_counter() - started) * 1000 / len(tokens)
    accepted = [answer for answer in answers if delegation.OPERATOR in answer.headers]
    refused = [answer for answer in answers if answer.status_code in REFUSALS_OF_TOKENS and answer not in accepted]
    if len(accepted) + len(refused) < len(answers):
        status = next(answer.status_code for answer in answers if answer not in (*accepted, *refused))
        host = urlsplit(settings.BACKEND_URL).hostname
        repair = f"Correct VX11_BACKEND_URL; if it is right, VX11_ALLOWED_HOSTS there must name {host}."
        yield fail(f"gateway: what is at its backend's address answers {status}, and not as a backend", repair)
    elif not accepted:
        yield fail(f"gateway: its backend refuses its token ({refused[0].status_code})", NEW_TOKEN)
    else:
        yield ok(f"gateway: its backend answers in {milliseconds:.0f} ms and knows it")
        if refused:
            text = f"gateway: {len(refused)} of the {len(tokens)} tokens of VX11_SERVICE_TOKEN are not accepted there"
            yield warn(text, "Take out those that were revoked.")


def _status_from_backend(client: httpx2.Client, token: str) -> httpx2.Response:
    return client.get(f"{settings.BACKEND_URL.rstrip('/')}/api/status", headers={"X-VX11-Token": token})
