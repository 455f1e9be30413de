"""For whom a gateway asks: written and read back, and nothing else is read."""

import pytest

from gateway.backend import delegation
from gateway.backend.delegation import OPERATOR, OPERATOR_ADDRESS, OPERATOR_RIGHTS, OPERATOR_SESSION, Delegation
from gateway.http.errors import ApiError
from gateway.scopes import OPERATOR_SCOPES

GOOD = {OPERATOR: "p-0123456789", OPERATOR_RIGHTS: "chat:write", OPERATOR_SESSION: "", OPERATOR_ADDRESS: "10.0.0.1"}


def raw(fields: dict[str, str], *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in fields.items()] + list(more)


@pytest.mark.parametrize(
    "whole",
    [
        Delegation("p-0123456789", OPERATOR_SCOPES, address="fe80::1%eth0"),
        Delegation("u-5", frozenset({"chat:write"}), session_id="0123456789abcdef0123", address="10.0.0.1"),
        Delegation("s-0123456789", frozenset({"events:publish", "operator:forward"})),
        Delegation("p-0123456789", frozenset()),
    ],
)
def test_what_a_gateway_writes_is_read_back(whole: Delegation) -> None:
    assert delegation.read(raw(whole.headers())) == whole


def test_whoever_names_nobody_asks_for_itself() -> None:
    assert delegation.read(raw({"X-Other": "1"})) is None


@pytest.mark.parametrize(
    "fields",
    [
        GOOD | {OPERATOR: ""},
        GOOD | {OPERATOR: delegation.NO_OPERATOR},
        GOOD | {OPERATOR: "p-0123 u-5"},
        GOOD | {OPERATOR: "p-" + "0" * 33},
        GOOD | {OPERATOR: "u-5"},
        GOOD | {OPERATOR_RIGHTS: "all"},
        GOOD | {OPERATOR_RIGHTS: "chat:write,window:write"},
        GOOD | {OPERATOR_RIGHTS: "chat:write " * 100},
        GOOD | {OPERATOR_SESSION: "../.."},
        GOOD | {OPERATOR_SESSION: "0" * 65},
        GOOD | {OPERATOR_ADDRESS: "10.0.0.1, 10.0.0.2"},
        GOOD | {OPERATOR_ADDRESS: "1" * 46},
        *({name: text for name, text in GOOD.items() if name != left_out} for left_out in GOOD if left_out != OPERATOR),
    ],
)
def test_what_no_gateway_writes_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="bad_request"):
        delegation.read(raw(fields))


def test_nobody_is_named_twice() -> None:
    with pytest.raises(ApiError, match="bad_request"):
        delegation.read(raw(GOOD, (b"x-vx11-operator", b"u-1")))
