"""Delegation: for which operator a gateway calls its backend, written as headers and read back. Pure.

A caller without the right `operator:forward` is refused before these headers are read. What they claim counts only as
far as the backend knows it to be true.
"""

import dataclasses
import re

from gateway.http.errors import ApiError
from gateway.http.headers import RawHeaders, all_values
from gateway.identity.principals import Principal
from gateway.scopes import OPERATOR_SCOPES, SERVICE_SCOPES

# The right of a service to call for others.
FORWARD = "operator:forward"
# In an answer, OPERATOR names the operator that it is for. A backend writes it once it has accepted the gateway's own
# token.
OPERATOR = "X-VX11-Operator"
OPERATOR_RIGHTS = "X-VX11-Operator-Scopes"
OPERATOR_SESSION = "X-VX11-Operator-Session"
OPERATOR_ADDRESS = "X-VX11-Operator-Address"
# In the place of an operator, when the gateway asks for itself. No public id looks like this.
NO_OPERATOR = "nobody"

_PUBLIC_ID = re.compile(r"[a-z]-[a-z0-9]{1,32}", re.ASCII)
_SESSION_ID = re.compile(r"[0-9a-f]{0,64}", re.ASCII)
_ADDRESS = re.compile(r"[0-9A-Za-z.:%_-]{0,45}", re.ASCII)
# Longer than all scopes together.
_SCOPES = re.compile(r"[a-z_: ]{0,400}", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Delegation:
    """Who asks, with which rights at the gateway, in which session of the console, and from where."""

    public_id: str
    scopes: frozenset[str]
    session_id: str = ""
    address: str = ""

    @classmethod
    def of(cls, principal: Principal, address: str) -> "Delegation":
        return cls(principal.public_id, principal.scopes, principal.session_id, address)

    def headers(self) -> dict[str, str]:
        return {
            OPERATOR: self.public_id,
            OPERATOR_RIGHTS: " ".join(sorted(self.scopes)),
            OPERATOR_SESSION: self.session_id,
            OPERATOR_ADDRESS: self.address,
        }


def read(headers: RawHeaders) -> Delegation | None:
    """None if the caller asks for itself. Raises ApiError for headers that no gateway writes."""
    headers = list(headers)
    if not all_values(headers, OPERATOR.lower().encode()):
        return None
    public_id = _one(headers, OPERATOR, _PUBLIC_ID)
    session_id = _one(headers, OPERATOR_SESSION, _SESSION_ID)
    if public_id.startswith("u-") and not session_id:
        # Without a session it cannot be known whether the user has signed out.
        raise _unreadable(OPERATOR_SESSION)
    return Delegation(public_id, _scopes(headers), session_id, _one(headers, OPERATOR_ADDRESS, _ADDRESS))


def _scopes(headers: RawHeaders) -> frozenset[str]:
    given = _one(headers, OPERATOR_RIGHTS, _SCOPES)
    scopes = frozenset(given.split())
    if not scopes <= OPERATOR_SCOPES | SERVICE_SCOPES:
        raise _unreadable(OPERATOR_RIGHTS)
    return scopes


def _one(headers: RawHeaders, name: str, form: re.Pattern[str]) -> str:
    values = all_values(headers, name.lower().encode())
    if len(values) != 1 or not form.fullmatch(values[0]):
        raise _unreadable(name)
    return values[0]


def _unreadable(name: str) -> ApiError:
    return ApiError("bad_request", title=f"The header {name} cannot be read.")
