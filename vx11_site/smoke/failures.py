"""Failures of trials as findings with a repair, the same for all trials."""

import httpx2

from vx11_client.http_answers import ServerRefused
from vx11_site.doctor.findings import Finding, fail

RECOVERY = "docs/runbooks/service-recovery.md"
REDIRECTED = "give --url the address that it names: no token is sent there by itself"
# The meaning of these statuses is the same in every trial; the pages explain their reasons.
REPAIRS = {
    400: "is the host in --url among those in the server's VX11_ALLOWED_HOSTS?",
    401: "docs/runbooks/stream-401-403.md#401",
    403: "docs/runbooks/stream-401-403.md#403",
    429: "docs/runbooks/token-abuse.md#find-out",
    **dict.fromkeys((301, 302, 303, 307, 308), REDIRECTED),
    404: "is it the address of a server, with the path in front of /operator/?",
    500: "docs/runbooks/README.md: the log has a traceback",
    **dict.fromkeys((502, 503, 504), RECOVERY),
}


def refusal(refused: ServerRefused, repair: str) -> Finding:
    """A finding for a refused request. `repair` is used for statuses whose meaning depends on the trial."""
    return fail(str(refused), REPAIRS.get(refused.status, repair))


def silence(error: httpx2.HTTPError | TimeoutError, repair: str) -> Finding:
    """A finding for a missing or incomplete response."""
    if isinstance(error, httpx2.TimeoutException):
        return fail(f"no answer in time ({type(error).__name__})", repair)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        repair = "a certificate of one's own: SSL_CERT_FILE=/path/to/it.pem; any other: renew it in the proxy"
    return fail(f"{type(error).__name__}: {error}".rstrip(": "), repair)
