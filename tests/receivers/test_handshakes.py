"""The handshake of CloudEvents: how many requests in a minute a sender is granted."""

import pytest

from receivers.http.handshakes import granted


@pytest.mark.parametrize(
    ("asked", "rate", "expected"),
    [
        ("120", (5_000, 1), "120"),
        ("999999999", (5_000, 1), "300000"),
        ("*", (5_000, 1), "300000"),
        (None, (5_000, 1), "300000"),
        ("120", (10, 60), "10"),
        ("120", (1, 3_600), "1"),
        ("0", (5_000, 1), "1"),
        ("120", None, "120"),
        (None, None, "*"),
    ],
)
def test_no_more_is_granted_than_the_rate_of_publishing(
    asked: str | None, rate: tuple[int, int] | None, expected: str
) -> None:
    headers = {"WebHook-Request-Origin": "example.com"} | ({"WebHook-Request-Rate": asked} if asked else {})
    assert granted(headers, rate) == {"WebHook-Allowed-Origin": "example.com", "WebHook-Allowed-Rate": expected}


def test_nothing_is_granted_to_a_sender_that_does_not_ask() -> None:
    assert granted({"WebHook-Request-Rate": "1"}, None) == {}
