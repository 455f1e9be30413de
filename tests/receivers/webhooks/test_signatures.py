"""Signatures of webhooks, by the examples that GitHub and Standard Webhooks publish."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from gateway import standard_webhooks
from gateway.http.errors import ApiError
from receivers.webhooks import signatures
from receivers.webhooks.signatures import GITHUB, GITLAB, STANDARD, NotProven, check, check_secret

NOW = datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)
# https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
GITHUB_SECRET, GITHUB_BODY = "It's a Secret to Everybody", b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
# The example of the libraries of Standard Webhooks.
STANDARD_SECRET, STANDARD_BODY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
STANDARD_ID, STANDARD_TIME = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

Raw = list[tuple[bytes, bytes]]


def github(*values: str) -> Raw:
    return [(b"x-hub-signature-256", value.encode()) for value in values]


def standard(
    signature: str = STANDARD_SIGNATURE, *, message_id: str = STANDARD_ID, timestamp: str = STANDARD_TIME
) -> Raw:
    return [
        (b"webhook-id", message_id.encode()),
        (b"webhook-timestamp", timestamp.encode()),
        (b"webhook-signature", signature.encode()),
    ]


def test_the_example_of_github_is_right() -> None:
    check(GITHUB, GITHUB_SECRET, github(GITHUB_SIGNATURE), GITHUB_BODY, now=NOW)


@pytest.mark.parametrize(
    "signature",
    [
        GITHUB_SIGNATURE[:-1] + "f",
        GITHUB_SIGNATURE[:-1],
        GITHUB_SIGNATURE.upper(),
        GITHUB_SIGNATURE.removeprefix("sha256="),
        GITHUB_SIGNATURE.replace("sha256", "sha1"),
        "sha1=" + hmac.new(GITHUB_SECRET.encode(), GITHUB_BODY, hashlib.sha1).hexdigest(),
        "sha256=" + hmac.new(b"", GITHUB_BODY, hashlib.sha256).hexdigest(),
        "sha256=" + hashlib.sha256(GITHUB_BODY).hexdigest(),
        f"{GITHUB_SIGNATURE},{GITHUB_SIGNATURE}",
        "é",
    ],
)
def test_n17_another_signature_of_github_is_none(signature: str) -> None:
    with pytest.raises(NotProven):
        check(GITHUB, GITHUB_SECRET, github(signature), GITHUB_BODY, now=NOW)


def test_n17_another_body_and_another_secret_have_another_signature() -> None:
    for secret, body in ((GITHUB_SECRET, GITHUB_BODY + b" "), (GITHUB_SECRET + " ", GITHUB_BODY)):
        with pytest.raises(NotProven):
            check(GITHUB, secret, github(GITHUB_SIGNATURE), body, now=NOW)


def test_the_example_of_standard_webhooks_is_right() -> None:
    check(STANDARD, STANDARD_SECRET, standard(), STANDARD_BODY, now=NOW)
    # While a secret is replaced, senders sign with both; v1a is that of another algorithm.
    several = f"v1,{base64.b64encode(bytes(32)).decode()} v1a,x {STANDARD_SIGNATURE}"
    check(STANDARD, STANDARD_SECRET, standard(several), STANDARD_BODY, now=NOW)


@pytest.mark.parametrize(
    "headers",
    [
        standard(STANDARD_SIGNATURE.replace("v1,", "v1a,")),
        standard(STANDARD_SIGNATURE.replace("v1,", "v2,")),
        standard(STANDARD_SIGNATURE.removeprefix("v1,")),
        standard(STANDARD_SIGNATURE.replace("v1,", "V1,")),
        standard("v1,"),
        standard(" ".join(["v1,x"] * standard_webhooks.SIGNATURES_LIMIT + [STANDARD_SIGNATURE])),
        standard(message_id="msg_another"),
        standard(message_id=""),
        standard(message_id="m" * 300),
        standard(timestamp="1614265331"),
        standard(timestamp=""),
        standard(timestamp="-1614265330"),
        standard(timestamp="1614265330.0"),
        standard(timestamp="９"),
        standard(timestamp="1" * 5_000),
        standard()[1:],
        [standard()[0], standard()[2]],
    ],
)
def test_n17_what_is_not_signed_so_is_refused(headers: Raw) -> None:
    with pytest.raises(NotProven):
        check(STANDARD, STANDARD_SECRET, headers, STANDARD_BODY, now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400 * 365])
def test_n17_a_replay_and_a_clock_far_off_are_refused(seconds: int) -> None:
    for fine in (-299, 299):
        check(STANDARD, STANDARD_SECRET, standard(), STANDARD_BODY, now=NOW + timedelta(seconds=fine))
    with pytest.raises(NotProven, match="300 s"):
        check(STANDARD, STANDARD_SECRET, standard(), STANDARD_BODY, now=NOW + timedelta(seconds=seconds))


def test_the_token_of_gitlab_is_compared() -> None:
    secret = "a-token-of-gitlab"
    check(GITLAB, secret, [(b"x-gitlab-token", secret.encode())], b"{}", now=NOW)
    for other in (secret[:-1], secret + "x", secret.upper()):
        with pytest.raises(NotProven):
            check(GITLAB, secret, [(b"x-gitlab-token", other.encode())], b"{}", now=NOW)


@pytest.mark.parametrize("way", signatures.SIGNED)
def test_n17_nothing_is_proven_by_no_secret_no_header_or_two(way: str) -> None:
    name = signatures.PROOFS[way]
    with pytest.raises(NotProven, match="no secret"):
        check(way, "", [(name, b"")], b"", now=NOW)
    for headers, reason in (
        ((), "missing_token"),
        ([(name, b"")], "missing_token"),
        (
            [(name, b"x"), (name, b"x")],
            "ambiguous_credentials",
        ),
    ):
        with pytest.raises(ApiError) as refused:
            check(way, "x" * 20, headers, b"", now=NOW)
        assert refused.value.reason == reason


def test_an_id_of_a_delivery_comes_once_and_is_bounded() -> None:
    name = b"x-github-delivery"
    assert signatures.delivery_id(GITHUB, [(name, b"72d3162e")]) == "72d3162e"
    assert signatures.delivery_id(GITHUB, []) == ""
    for headers in ([(name, b"1"), (name, b"2")], [(name, b"1" * 257)]):
        with pytest.raises(ApiError):
            signatures.delivery_id(GITHUB, headers)


@pytest.mark.parametrize(
    ("way", "secret"),
    [(GITHUB, ""), (GITHUB, "x" * 15), (GITHUB, "x" * 201), (GITHUB, "é" * 20), (GITLAB, "x\n" * 10)]
    + [(STANDARD, "x" * 20), (STANDARD, "whsec_"), (STANDARD, f"whsec_{base64.b64encode(bytes(23)).decode()}")],
)
def test_a_secret_that_is_empty_short_or_of_another_form_is_refused(way: str, secret: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_secret(way, secret)
    check_secret(GITHUB, GITHUB_SECRET)
    check_secret(STANDARD, STANDARD_SECRET)
