"""Words in their order in one text, found in texts as they stand: making words of them first takes ten times as long.

Pure. What cannot be decided so is left to the words.
"""

import re
from collections.abc import Callable, Sequence

from events.query.words import WORD_LIMIT_CHARACTERS

# Between two words of one text. A comma may also stand between two numbers of a list, which are two texts; a quote and
# a line end always stand between two texts.
_WITHIN = r'[^0-9a-z"\n,]+'
_PERHAPS_WITHIN = r'[^0-9a-z"\n]+'
# Of one pattern, so that neither making nor matching it takes long.
LIMIT_WORDS = 8

Decide = Callable[[str], bool | None]


def decider(words: Sequence[str], *, prefix: bool) -> Decide:
    """Whether `RecordView.texts` hold the words in this order, of the last only the beginning if `prefix`.

    None if that must be looked up in the words. Such texts are ASCII.
    """
    if not all(map(str.isascii, words)):
        return lambda texts: False
    # Longer words are cut to this length, so one of it may be the beginning of a longer one.
    if len(words) > LIMIT_WORDS or any(len(word) >= WORD_LIMIT_CHARACTERS for word in words):
        return lambda texts: None
    within = re.compile(_pattern(words, _WITHIN, prefix=prefix)).search
    if len(words) == 1:
        return lambda texts: within(texts) is not None
    perhaps = re.compile(_pattern(words, _PERHAPS_WITHIN, prefix=prefix)).search

    def decide(texts: str) -> bool | None:
        if within(texts):
            return True
        return None if perhaps(texts) else False

    return decide


def _pattern(words: Sequence[str], between: str, *, prefix: bool) -> str:
    first, *others = map(re.escape, words)
    # What stands before the first word is looked at behind it: a pattern that begins with letters is found quickly.
    start = rf"{first}(?<![0-9a-z]{first})"
    return between.join([start, *others]) + ("" if prefix else "(?![0-9a-z])")
