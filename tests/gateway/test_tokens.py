"""Token texts."""

import re
import uuid

import pytest

from gateway import tokens


@pytest.mark.parametrize(("kind", "prefix"), [("principal", "vx11p_"), ("service", "vx11s_")])
def test_a_token_says_its_kind_and_cannot_be_guessed(kind: str, prefix: str) -> None:
    texts = {tokens.mint(kind) for _ in range(100)}
    assert len(texts) == 100
    assert all(text.startswith(prefix) and len(text) >= len(prefix) + 43 for text in texts)


def test_a_ticket_is_a_random_uuid() -> None:
    text = tokens.mint_ticket()
    assert len(text) == 36
    assert uuid.UUID(text).version == 4
    assert tokens.looks_like_ticket(text)


def test_a_public_id_names_the_kind_and_nothing_of_the_text() -> None:
    assert re.fullmatch(r"p-[0-9a-f]{10}", tokens.new_public_id("p"))


def test_a_digest_is_of_all_of_the_text() -> None:
    assert tokens.digest("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert tokens.digest("a") != tokens.digest("a ")


def test_comparing_takes_any_text() -> None:
    assert tokens.same("é", "é")
    assert not tokens.same("é", "e")
    assert not tokens.same("a", "aa")


@pytest.mark.parametrize(
    "text", ["", "x", "550e8400-e29b-41d4-a716-44665544000", "550e8400e29b41d4a716446655440000", "vx11p_" + "a" * 30]
)
def test_what_is_no_uuid_does_not_look_like_a_ticket(text: str) -> None:
    assert not tokens.looks_like_ticket(text)
