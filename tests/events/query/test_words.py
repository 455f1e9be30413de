"""What is a word, in whatever script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.query.words import WORD_LIMIT_CHARACTERS, fold, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Connection refused", ["connection", "refused"]),
        ("disk_usage req-9f.a /var/log", ["disk", "usage", "req", "9f", "a", "var", "log"]),
        ("Ärger naïve ﬁne Straße ΟΔΟΣ", ["arger", "naive", "fine", "strasse", "οδοσ"]),
        ("e\u0301te\u0301 été", ["ete", "ete"]),
        ("İstanbul ISTANBUL", ["istanbul", "istanbul"]),
        ("日本語テスト abc", ["日", "本", "語", "テ", "ス", "ト", "abc"]),
        ("ผู้ใช้", ["ผ", "ใ", "ช"]),
        ("مرحبا بالعالم שלום", ["مرحبا", "بالعالم", "שלום"]),
        ("हिन्दी", ["हिनदी"]),
        ("👍🏽ok🔥", ["👍", "ok", "🔥"]),
        ("zero\u200dwidth \u202eturned", ["zerowidth", "turned"]),
        ("日本・語、テ。", ["日", "本", "語", "テ"]),
        ("ราคา ๕๐฿ ๚", ["ร", "า", "ค", "า", "๕", "๐"]),
        ("👩🏽\u200d💻🇩🇪 1\ufe0f\u20e3 ❤\ufe0f", ["👩", "💻", "🇩", "🇪", "1", "❤"]),
        ("a\U0001faff\U000323afb", ["a", "\U0001faff", "\U000323af", "b"]),
        ("½ x² №5", ["1", "2", "x2", "no5"]),
        (" \t.,;-_ ", []),
        ("", []),
    ],
)
def test_a_text_has_these_words(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_a_long_word_is_cut() -> None:
    assert words("a" * 1000) == ["a" * WORD_LIMIT_CHARACTERS]


@given(st.text())
def test_what_is_folded_stays_so_and_has_the_same_words(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert words(fold(text)) == words(text)


@given(st.text(), st.text())
def test_words_of_two_texts_are_the_words_of_both(one: str, other: str) -> None:
    assert words(f"{one} {other}") == words(one) + words(other)


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_the_quick_way_for_ascii_finds_the_same(text: str) -> None:
    assert words(text) == words(text + " é")[:-1]
