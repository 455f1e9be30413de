"""The local responder: a few fixed answers, for when no assistant is set up or it is away. Pure."""

from operator_api.status import StatusReading

HELP = "I know three words: status (is everything up?), window (may operators act, until when?), help."
LATE = "The assistant is late. Your message is stored, and what becomes of it will be said here."
AWAY = "The assistant is away or cannot answer. Your message is stored; send it again later if it still matters."
# Written by a living process in the place of one that has ended.
NO_ANSWER = "No answer came. Your message is stored; send it again if it still matters."


def respond(message: str, look: StatusReading) -> str:
    """The answer to a message when no assistant is set up."""
    match message.strip().lower().rstrip("?!. "):
        case "status":
            return _status(look)
        case "window":
            return _window(look)
        case "help":
            return HELP
    return f"No assistant is set up here. {HELP}"


def _status(look: StatusReading) -> str:
    words = [f"{name} {state['status']}" for name, state in sorted(look.modules.items())]
    return f"{'Degraded' if look.degraded else 'All core modules are up'}: {', '.join(words)}."


def _window(look: StatusReading) -> str:
    window = look.window
    if window["window_id"] is None:
        return "No window is open."
    until = f"for {window['ttl_seconds']} more seconds" if window["deadline"] else "until it is closed"
    services = ", ".join(window["services"]) or "no modules"
    return f"The window of {window['opened_by'] or 'an operator'} is open {until}, with {services}."
