"""The gateway's own tokens: which is tried first, and when a new one is noticed."""

import pytest

from gateway.backend import service_tokens
from gateway.backend.service_tokens import ServiceTokens


class File:
    """What VX11_SERVICE_TOKEN holds, as the environment reads it."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.reads = 0

    def read(self, before: object) -> tuple[str, ...]:
        self.reads += 1
        return self.texts


def test_the_one_that_was_accepted_last_is_tried_first() -> None:
    known = ServiceTokens(File("one", "two", "three").read)
    assert list(known.candidates()) == ["one", "two", "three"]
    known.accepted("three")
    assert list(known.candidates()) == ["three", "one", "two"]


def test_the_file_is_not_read_for_every_request() -> None:
    file = File("one")
    known = ServiceTokens(file.read)
    for _ in range(5):
        assert next(known.candidates()) == "one"
    assert file.reads == 1


def test_what_is_new_is_noticed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_tokens, "REREAD_SECONDS", 0.0)
    file = File("one")
    known = ServiceTokens(file.read)
    known.accepted("one")
    file.texts = ("two", "one")
    assert next(known.candidates()) == "two"


def test_when_all_are_refused_the_file_is_read_at_once() -> None:
    file = File("one")
    known = ServiceTokens(file.read)
    candidates = known.candidates()
    assert next(candidates) == "one"
    file.texts = ("two",)
    assert list(candidates) == ["two"]
    assert list(known.candidates()) == ["two"]
