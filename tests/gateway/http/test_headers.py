"""What a request says about itself, and what of it is believed."""

import ipaddress
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import tokens
from gateway.http import headers
from gateway.http.errors import ApiError

TOKEN = "vx11p_0123456789abcdef"
TICKET = "550e8400-e29b-41d4-a716-446655440000"
PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128")]


def raw(*pairs: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]


def refused(query: bytes) -> str:
    with pytest.raises(ApiError) as raised:
        headers.query_of(query)
    return raised.value.reason


# Correlation ids


@pytest.mark.parametrize("given_id", ["a", "A-b.c_9", "x" * 64])
def test_a_harmless_correlation_id_is_kept(given_id: str) -> None:
    assert headers.correlation_id(raw(("X-Correlation-Id", given_id))) == given_id


@pytest.mark.parametrize("given_id", ["", "x" * 65, "a b", "a\tb", "é", "a/b", "a\x1b[31m"])
def test_any_other_correlation_id_is_replaced(given_id: str) -> None:
    found = headers.correlation_id(raw(("X-Correlation-Id", given_id)))
    assert uuid.UUID(found).version == 4


@pytest.mark.parametrize("kind", ["principal", "service"])
def test_a_token_is_no_correlation_id(kind: str) -> None:
    text = tokens.mint(kind)
    assert headers.correlation_id(raw(("X-Correlation-Id", text))) != text


def test_two_correlation_ids_are_none() -> None:
    found = headers.correlation_id(raw(("X-Correlation-Id", "a"), ("X-Correlation-Id", "b")))
    assert uuid.UUID(found).version == 4


# Credentials


@pytest.mark.parametrize(
    "pairs",
    [
        [("X-VX11-Token", TOKEN)],
        [("X-VX11-Token", f"  {TOKEN} ")],
        [("Authorization", f"Bearer {TOKEN}")],
        [("Authorization", f"bearer   {TOKEN}")],
        [("X-VX11-Token", TOKEN), ("Authorization", f"Bearer {TOKEN}")],
        [("X-VX11-Token", TOKEN), ("X-VX11-Token", TOKEN)],
        [("X-VX11-Token", ""), ("Authorization", f"Bearer {TOKEN}")],
        [("X-VX11-Token", TOKEN), ("Authorization", "Basic dXNlcjpwYXNz")],
    ],
)
def test_one_credential_is_found_wherever_it_stands(pairs: list[tuple[str, str]]) -> None:
    assert headers.credential(raw(*pairs)) == TOKEN


@pytest.mark.parametrize(
    "pairs",
    [[], [("X-VX11-Token", "")], [("Authorization", "Bearer ")], [("Authorization", "Basic x")], [("Cookie", TOKEN)]]
    + [[("X_VX11_Token", TOKEN)], [("Authorization", TOKEN)]],
)
def test_without_a_credential_there_is_none(pairs: list[tuple[str, str]]) -> None:
    assert headers.credential(raw(*pairs)) is None


@pytest.mark.parametrize(
    "pairs",
    [
        [("X-VX11-Token", TOKEN), ("Authorization", "Bearer other")],
        [("X-VX11-Token", TOKEN), ("X-VX11-Token", "other")],
        [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")],
        [("X-VX11-Token", TOKEN), ("X-VX11-Token", TOKEN), ("Authorization", "Bearer é")],
    ],
)
def test_a08_two_credentials_that_differ_are_ambiguous(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(ApiError) as raised:
        headers.credential(raw(*pairs))
    assert raised.value.reason == "ambiguous_credentials"


# The query


def test_a_query_is_lists_of_values_in_order() -> None:
    assert headers.query_of(b"a=1&b=&a=2%20x&c=d+e") == {"a": ["1", "2 x"], "b": [""], "c": ["d e"]}


@pytest.mark.parametrize("query", [b"", b"token=", b"token=" + TICKET.encode(), b"token=" + TICKET.upper().encode()])
def test_a_ticket_may_stand_in_the_query(query: bytes) -> None:
    headers.query_of(query)


@pytest.mark.parametrize(
    "query",
    [f"token={TOKEN}", "token=x", f"token={TICKET}&token={TOKEN}", f"token={TICKET}%20", f"token={TICKET}0"]
    + [f"{name}={TOKEN}" for name in ("access_token", "X-VX11-Token", "x-vx11-token", "Authorization", "api_key")]
    + ["to%6ben=secret", "access_token="],
)
def test_a07_a_token_in_the_query_is_refused_without_a_look_at_it(query: str) -> None:
    assert refused(query.encode()) == "token_in_query"


@pytest.mark.parametrize("query", [b"a=%ff", b"a=\xff", b"%c3%28=1", "a=é".encode(), b"&".join([b"a=1"] * 300)])
def test_a_query_that_cannot_be_read_is_a_bad_request(query: bytes) -> None:
    assert refused(query) == "bad_request"


@given(query=st.binary(max_size=100))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    reason = ""
    try:
        headers.query_of(query)
    except ApiError as refusal:
        reason = refusal.reason
    assert reason in ("", "bad_request", "token_in_query")


# The address


def test_a_proxy_on_a_socket_for_both_families_or_on_a_unix_socket_is_believed_too() -> None:
    asked = raw(("X-Real-IP", "1.2.3.4"))
    assert headers.client_address("::ffff:10.1.2.3", asked, PROXIES) == "1.2.3.4"
    assert headers.client_address("", asked, ["unix"]) == "1.2.3.4"
    assert headers.client_address("", asked, PROXIES) == ""
    assert headers.client_address("10.1.2.3", asked, ["unix"]) == "10.1.2.3"


def test_without_trusted_proxies_the_peer_is_the_caller_whatever_it_says() -> None:
    assert headers.client_address("10.1.2.3", raw(("X-Real-IP", "1.2.3.4")), []) == "10.1.2.3"


@pytest.mark.parametrize(("peer", "address"), [("10.1.2.3", "1.2.3.4"), ("::1", "2001:db8::1")])
def test_a_trusted_proxy_is_believed(peer: str, address: str) -> None:
    assert headers.client_address(peer, raw(("X-Real-IP", address)), PROXIES) == address


@pytest.mark.parametrize("peer", ["192.0.2.1", "unix:", ""])
def test_somebody_else_is_not(peer: str) -> None:
    assert headers.client_address(peer, raw(("X-Real-IP", "1.2.3.4")), PROXIES) == peer


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("X-Real-IP", "nonsense")],
        [("X-Real-IP", "1.2.3.4, 5.6.7.8")],
        [("X-Real-IP", "1.2.3.4"), ("X-Real-IP", "5.6.7.8")],
        [("X-Forwarded-For", "1.2.3.4")],
        [("X-Real-IP", "fe80::1%" + "x" * 60)],
    ],
)
def test_what_a_proxy_says_must_be_one_address(pairs: list[tuple[str, str]]) -> None:
    assert headers.client_address("10.1.2.3", raw(*pairs), PROXIES) == "10.1.2.3"
