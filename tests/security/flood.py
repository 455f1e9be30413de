"""Thousands of requests in a row, each as cheap for the client as it can be: what is slow then is the server."""

import http.client
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

CONNECTIONS = 4


def statuses(url: str, paths: Iterable[str], headers: Mapping[str, str]) -> Counter[int]:
    """GETs every path, over a few connections that are kept; how often each status came."""
    address = urlsplit(url)
    waiting = list(paths)

    def ask() -> Counter[int]:
        found: Counter[int] = Counter()
        with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)) as connection:
            while waiting:
                connection.request("GET", waiting.pop(), headers=dict(headers))
                response = connection.getresponse()
                response.read()
                found[response.status] += 1
        return found

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum((future.result() for future in [pool.submit(ask) for _ in range(CONNECTIONS)]), Counter())
