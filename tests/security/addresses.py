"""Every address that is served, as the URL configuration has them: an endpoint that is added is tested too."""

from collections.abc import Iterable, Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from events.stream.consumer import STREAM_PATHS


def addresses() -> list[str]:
    """Those without a variable part, sorted."""
    return sorted({*_walk(get_resolver().url_patterns, "/"), *STREAM_PATHS})


def _walk(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        # The rest has a parameter, or is a regular expression.
        elif not set("<>^$(") & set(path):
            yield path
