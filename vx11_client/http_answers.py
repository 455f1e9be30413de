"""What our own HTTP clients share: the way to the server, and what its refusal says to a person. No Django."""

import httpx

from vx11_client.terminal_text import shown

# A proxy named by the environment is for other hosts: it could not even reach these.
DIRECT_MOUNTS: dict[str, None] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}
# The start of a page that some proxy sent in place of our error body.
UNKNOWN_BODY_CHARACTERS = 120


class ServerRefused(Exception):
    """The server's no is final for this program: asking again would get the same answer.

    `credential` tells a missing right (401, 403) from a request or an address that is wrong.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.credential = answer.status_code in (401, 403)
        super().__init__(problem_text(answer))


def problem_text(answer: httpx.Response) -> str:
    """`401 main_auth_failed: The token is not valid.`, safe to print. The body must have been read."""
    if answer.has_redirect_location:
        # Without its query, where a ticket may stand.
        address = httpx.URL(answer.headers["Location"]).copy_with(query=None, fragment=None)
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
    told = (
        f"{name} {'; '.join(map(str, found)) if isinstance(found, list) else found}" for name, found in errors.items()
    )
    return f" ({', '.join(told)})"
