"""What a word is: the one definition for queries, predicate and index, whichever database holds the log. Pure.

A text is folded first: compatibility forms become plain ones, marks over letters go, and case goes. A word is then a
run of letters and digits. Scripts that write no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese)
have no such runs: there each letter is a word, and a longer search is a phrase. So is each picture, such as an emoji.
All else (spaces, points, hyphens, underscores) stands between words.

static/events/query-words.js says the same in JavaScript; tests compare the two for every code point that Python knows.
They can differ in letters that Unicode has got since Python's version of it (unicodedata.unidata_version): a newer
browser sees a letter where Python sees none. New ideographs and emoji have ranges of their own here, so these agree.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

# Longer ones are cut: an index need not hold base64.
WORD_LIMIT_CHARACTERS = 64

_ASCII = re.compile(r"[0-9a-z]+")
# Letters that stand for a word or a syllable each: Thai and Lao, Burmese, Khmer, radicals, ideographs, kana, bopomofo.
# Among them is punctuation, which stands between words as it does elsewhere.
_SINGLE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
# Pictures and ideographs, also those of a Unicode that is newer than Python's.
_PICTURE = re.compile("[\U0001f000-\U0001faff\U00020000-\U0003ffff]")
_IN_WORD, _ALONE, _BETWEEN, _MARK = range(4)


def words(text: str) -> list[str]:
    """The words of a text, folded, in order."""
    if text.isascii():
        # Most texts are: there is nothing to fold but case, and there are no pictures.
        return [word[:WORD_LIMIT_CHARACTERS] for word in _ASCII.findall(text.lower())]
    return [word[:WORD_LIMIT_CHARACTERS] for word in _cut(fold(text))]


def fold(text: str) -> str:
    """Without differences of case, of marks over letters, and of ways to write the same letter."""
    # Up and down again, and not casefold(), which JavaScript has not: both make ss of a sharp s.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).upper().lower()).replace("ς", "σ")
    return "".join(letter for letter in plain if _kind(letter) != _MARK)


def _cut(folded: str) -> Iterator[str]:
    run: list[str] = []
    for letter in folded:
        kind = _kind(letter)
        if kind == _IN_WORD:
            run.append(letter)
            continue
        if run:
            yield "".join(run)
            run.clear()
        if kind == _ALONE:
            yield letter
    if run:
        yield "".join(run)


@functools.lru_cache(maxsize=8192)
def _kind(letter: str) -> int:
    category = unicodedata.category(letter)
    # Marks over and around letters; and what steers others: joiners, directions, variants of pictures.
    if category in ("Mn", "Me", "Cf"):
        return _MARK
    # A modifier (Sk) is the colour of a skin, which belongs to the picture before it.
    if category == "So" or (_PICTURE.match(letter) and category != "Sk"):
        return _ALONE
    if category[0] in "LN" or category == "Mc":
        return _ALONE if _SINGLE.match(letter) else _IN_WORD
    return _BETWEEN
