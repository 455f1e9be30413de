"""What the HTTP clients share: the way to the server, and the text of a refusal for a person. No Django."""

from typing import NamedTuple

import httpx2

from vx11_client.errors import ClientError
from vx11_client.terminal_text import shown

# A proxy named by the environment is for other hosts: it could not even reach these.
DIRECT_MOUNTS: dict[str, None] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}
# The start of a page that some proxy sent in place of our error body.
UNKNOWN_BODY_CHARACTERS = 120


_ADVICE_CREDENTIAL = (
    "The token is not valid here, or lacks a right: a publisher needs a service token with events:publish, for its own "
    "module; a reader a principal token with events:read and tickets:issue."
)
_ADVICE_ADDRESS = "Check the url: it is the address of a VX11 Operator server, without /operator; then the request."


class ServerRefused(ClientError):
    """The refusal is final for this program: asking again would get the same answer.

    `status` is that of HTTP. `credential` is true for a missing right (401, 403) and false
    for a wrong request or address. `mistake` is that in a query, if there is one.
    """

    def __init__(self, answer: httpx2.Response) -> None:
        self.status = answer.status_code
        self.mistake = _mistake_in(answer)
        self.credential = answer.status_code in (401, 403)
        super().__init__(problem_text(answer))
        self.add_note(_ADVICE_CREDENTIAL if self.credential else _ADVICE_ADDRESS)


class QueryMistake(NamedTuple):
    """Where a query has a mistake, in characters from its beginning, and what would be right."""

    position: int
    length: int
    message: str

    def underlined(self, query: str) -> str:
        """Two lines, safe to print: the query, and a mark under the mistake with the message."""
        before, part = query[: self.position], query[self.position : self.position + self.length]
        mark = "^" * max(1, len(shown(part)))
        return f"{shown(query)}\n{' ' * len(shown(before))}{mark} {shown(self.message)}"


def _mistake_in(answer: httpx2.Response) -> QueryMistake | None:
    try:
        (found,) = answer.json()["errors"]["q"]
        return QueryMistake(int(found["position"]), int(found["length"]), str(found["message"]))
    except (ValueError, KeyError, TypeError):
        return None


def problem_text(answer: httpx2.Response) -> str:
    """`401 main_auth_failed: The token is not valid.`, safe to print. The body must have been read."""
    if answer.has_redirect_location:
        # Without its query, where a ticket may stand.
        address = httpx2.URL(answer.headers["Location"]).copy_with(query=None, fragment=None)
        return shown(f"{answer.status_code}, a redirect to {address}")
    try:
        problem = answer.json()
        reason, title = str(problem["reason"]), str(problem["title"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {shown(answer.text[:UNKNOWN_BODY_CHARACTERS].strip())}".strip()
    details = _field_problems(problem.get("errors"))
    return shown(f"{answer.status_code} {reason}: {title}{details}")


def _field_problems(errors: object) -> str:
    if not isinstance(errors, dict) or not errors:
        return ""
    problems = (
        f"{name} {'; '.join(map(_as_text, found)) if isinstance(found, list) else found}"
        for name, found in errors.items()
    )
    return f" ({', '.join(problems)})"


def _as_text(problem: object) -> str:
    return str(problem.get("message", problem)) if isinstance(problem, dict) else str(problem)
