"""The tokens by which this gateway is known to its backend: VX11_SERVICE_TOKEN, read anew while it runs.

So a token in a file can be replaced while requests are on their way: docs/roles.md says in which order.
"""

import time
from collections.abc import Callable, Iterator, Sequence

# A file that changed is noticed after so long, or as soon as the token that was read before is refused.
REREAD_SECONDS = 1.0

# What the variable or its file holds now; gets what was known before, which is the answer while it cannot be read.
Reading = Callable[[Sequence[str]], Sequence[str]]


class ServiceTokens:
    """Several at a time: the one that is good is found out by use."""

    def __init__(self, read: Reading) -> None:
        self._read = read
        self._texts: list[str] = []
        self._as_read: Sequence[str] = ()
        self._read_at = float("-inf")

    def candidates(self) -> Iterator[str]:
        """The one that was accepted last, then the others, then what is new in the file by then."""
        if time.monotonic() - self._read_at >= REREAD_SECONDS:
            self._reread()
        tried = list(self._texts)
        yield from tried
        self._reread()
        yield from [text for text in self._texts if text not in tried]

    def accepted(self, text: str) -> None:
        """Begin with this one from now on."""
        if self._texts[:1] != [text]:
            self._texts.sort(key=lambda known: known != text)

    def _reread(self) -> None:
        self._read_at = time.monotonic()
        texts = list(self._read(self._as_read))
        if texts != self._as_read:
            self._as_read, self._texts = texts, list(texts)
