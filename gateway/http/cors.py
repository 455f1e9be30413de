"""Cross-origin requests: pages of VX11_ALLOWED_ORIGINS may call the API with a token. Never with cookies."""

from django.conf import settings

from gateway.http.headers import RawHeaders, all_values

API_PREFIX = "/operator/api/"
PREFLIGHT_AGE_SECONDS = 600
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Correlation-Id, X-VX11-Token"


def headers_for(path: str, method: str, raw: RawHeaders) -> dict[str, str]:
    """What the answer to this request says about other origins; nothing unless the request's is an allowed one."""
    origins = all_values(raw, b"origin")
    if len(origins) != 1 or origins[0] not in settings.ALLOWED_ORIGINS or not path.startswith(API_PREFIX):
        return {}
    fields = {
        "Access-Control-Allow-Origin": origins[0],
        "Access-Control-Expose-Headers": "Retry-After, X-Correlation-Id",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }
    if method == "OPTIONS":
        fields["Access-Control-Allow-Methods"] = "GET, HEAD, POST, OPTIONS"
        fields["Access-Control-Allow-Headers"] = REQUEST_HEADERS
        fields["Access-Control-Max-Age"] = str(PREFLIGHT_AGE_SECONDS)
    return fields
