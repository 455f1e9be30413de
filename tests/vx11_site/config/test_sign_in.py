"""The settings of signing in by a proxy: what they give, and what cannot be meant."""

import pytest

from vx11_site.config import sign_in
from vx11_site.config.environment import BadEnvironment, Environment
from vx11_site.config.sign_in import ProxySignIn

USER, GROUPS = "X-Forwarded-User", "X-Forwarded-Groups"
GIVEN = {
    "VX11_PROXY_USER_HEADER": USER,
    "VX11_PROXY_GROUPS_HEADER": GROUPS,
    "VX11_GROUPS": "ops = operator, cn=leads,dc=example=administrator,",
}


def test_it_is_off_unless_a_header_is_named() -> None:
    assert sign_in.by_proxy(Environment({})) is None
    assert sign_in.backends(None) == []


def test_all_of_it() -> None:
    found = sign_in.by_proxy(Environment({**GIVEN, "VX11_GROUPS": "ops = operator, cn=leads=administrator,"}))
    roles = {"ops": "operator", "cn=leads": "administrator"}
    assert found == ProxySignIn(b"x-forwarded-user", b"x-forwarded-groups", roles, 900)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"VX11_PROXY_USER_HEADER": "Authorization"}, "VX11_PROXY_USER_HEADER"),
        ({"VX11_PROXY_USER_HEADER": "Cookie"}, "VX11_PROXY_USER_HEADER"),
        ({"VX11_PROXY_USER_HEADER": "X_User"}, "VX11_PROXY_USER_HEADER"),
        ({"VX11_PROXY_USER_HEADER": "Sec-User"}, "VX11_PROXY_USER_HEADER"),
        ({"VX11_PROXY_USER_HEADER": ""}, "VX11_PROXY_GROUPS_HEADER"),
        ({"VX11_PROXY_GROUPS_HEADER": USER.upper()}, "the same header"),
        ({"VX11_PROXY_GROUPS_HEADER": "not a header"}, "VX11_PROXY_GROUPS_HEADER"),
        ({"VX11_GROUPS": ""}, "VX11_GROUPS"),
        ({"VX11_GROUPS": "ops"}, "group=role"),
        ({"VX11_GROUPS": "ops=root"}, "viewer, operator, auditor, administrator"),
        ({"VX11_GROUPS": "ops=viewer,ops=operator"}, "two roles"),
        ({"VX11_PROXY_SESSION_SECONDS": "5"}, "from 60 to"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_by_name(settings: dict[str, str], named: str) -> None:
    with pytest.raises(BadEnvironment, match=named):
        sign_in.by_proxy(Environment({**GIVEN, "VX11_GROUPS": "ops=operator", **settings}))
