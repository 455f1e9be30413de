"""One POST of JSON, in the calling thread, which is guarded. The answer's status says whether it was taken."""

import functools
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2
import orjson
from django.conf import settings

from watches.delivery.guard import AddressRefused

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
GONE = 410


class NotTaken(Exception):
    """The text says why, without the address. `status` is 0 without an answer; `retry_after` as its header says."""

    def __init__(self, why: str, *, status: int = 0, retry_after: str | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.retry_after = retry_after


def post_json(
    url: str,
    data: Any,
    *,
    headers: Mapping[str, str],
    auth: tuple[str, str] | None = None,
) -> None:
    """Raises NotTaken."""
    post(url, orjson.dumps(data), headers=headers, auth=auth)


def post(url: str, body: bytes, *, headers: Mapping[str, str], auth: tuple[str, str] | None = None) -> None:
    """Raises NotTaken. A redirect is not followed: its target was not set by an administrator."""
    timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    sent = {"Content-Type": "application/json", "User-Agent": "vx11-operator", **headers}
    try:
        with (
            httpx2.Client(
                verify=_certificates(), trust_env=settings.DELIVERY_PROXIES, follow_redirects=False, timeout=timeout
            ) as client,
            # The body of the answer is not read.
            client.stream("POST", url, content=body, headers=sent, auth=auth) as answer,
        ):
            if not answer.is_success:
                status = answer.status_code
                raise NotTaken(f"answered {status}", status=status, retry_after=answer.headers.get("Retry-After"))
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        # Only the cause: texts of libraries quote addresses.
        raise NotTaken(_cause_of(error)) from None


def _cause_of(error: BaseException) -> str:
    """The name of the error, and what the guard says, if it has refused."""
    here: BaseException | None = error
    while here is not None:
        if isinstance(here, AddressRefused):
            return f"refused: {here}"
        here = here.__cause__ or here.__context__
    return type(error).__name__


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: that takes some hundredths of a second."""
    return httpx2.create_ssl_context(trust_env=False)
