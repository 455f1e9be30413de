"""Keeps tickets out of the log of the program that uses this library. No Django.

httpx2 logs the URL of each request at INFO, and the URL of a stream holds its ticket.
"""

import logging

import httpx2


def hide_tickets() -> None:
    """From now on, the log of httpx2 shows `token=***` in place of any `token` in a query. May be called again."""
    logger = logging.getLogger("httpx2")
    if not any(isinstance(known, _TicketFilter) for known in logger.filters):
        logger.addFilter(_TicketFilter())


class _TicketFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_ticket(value) for value in record.args)
        return True


def _without_ticket(value: object) -> object:
    if isinstance(value, httpx2.URL) and "token" in value.params:
        return str(value.copy_set_param("token", "hidden")).replace("token=hidden", "token=***")
    return value
