"""The local responder: a few fixed answers, for when no assistant is set up or it is away. Pure.

It speaks the language of the request, as django.utils.translation has it (operator_api/http/chat_views.py).
"""

from django.utils.translation import gettext as _

from operator_api.status import StatusReading

# Written by a living process in the place of one that has ended: it does not know the reader's language, and the
# console has a translation of its own.
NO_ANSWER = "No answer came. Your message is stored; send it again if it still matters."
# What is understood, by what it asks for.
STATUS_WORDS, WINDOW_WORDS, HELP_WORDS = ("status", "estado"), ("window", "ventana"), ("help", "ayuda")


def help_text() -> str:
    return _("I know three words: status (is everything up?), window (may operators act, until when?), help.")


def late() -> str:
    return _("The assistant is late. Your message is stored, and what becomes of it will be said here.")


def away() -> str:
    return _("The assistant is away or cannot answer. Your message is stored; send it again later if it still matters.")


def respond(message: str, look: StatusReading) -> str:
    """The answer to a message when no assistant is set up."""
    word = message.strip().lower().rstrip("?!. ").lstrip("¿¡ ")
    if word in STATUS_WORDS:
        return _status(look)
    if word in WINDOW_WORDS:
        return _window(look)
    if word in HELP_WORDS:
        return help_text()
    return f"{_('No assistant is set up here.')} {help_text()}"


def _status(look: StatusReading) -> str:
    words = [f"{name} {state['status']}" for name, state in sorted(look.modules.items())]
    summary = _("Degraded") if look.degraded else _("All core modules are up")
    return f"{summary}: {', '.join(words)}."


def _window(look: StatusReading) -> str:
    window = look.window
    if window["window_id"] is None:
        return _("No window is open.")
    if window["deadline"]:
        until = _("for %(seconds)s more seconds") % {"seconds": window["ttl_seconds"]}
    else:
        until = _("until it is closed")
    who = window["opened_by"] or _("an operator")
    services = ", ".join(window["services"]) or _("no modules")
    return _("The window of %(who)s is open %(until)s, with %(services)s.") % {
        "who": who,
        "until": until,
        "services": services,
    }
