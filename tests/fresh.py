"""Objects of which a process has one, as in a process that has just begun."""

from typing import Any


def begin_anew(*things: Any) -> None:
    """Each as when it was made. Nothing of its class can be left out that way."""
    for thing in things:
        thing.__init__()


def ask_settings_for_the_store() -> None:
    """The store of tickets and limits is the one that the settings name now."""
    from gateway.shared_store import store

    store.the_store.cache_clear()
    store.the_redis.cache_clear()


def ask_settings_for_the_assistant() -> None:
    """The chat's assistant is the one that the settings name now."""
    from operator_api.chat import assistant

    assistant._assistant._made = None
