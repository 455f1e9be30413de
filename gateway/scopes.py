"""The closed list of scopes, and which of them each kind of caller may have. Pure: no I/O."""

OPERATOR_SCOPES = frozenset(
    {
        "events:read",
        "tickets:issue",
        "window:write",
        "watch:write",
        "chat:write",
        "chat:read_all",
        "views:share",
        "tokens:admin",
        "streams:admin",
        "audit:read",
        "metrics:read",
    }
)
SERVICE_SCOPES = frozenset({"events:publish", "operator:forward", "metrics:read"})
SCOPES_OF_KIND = {"principal": OPERATOR_SCOPES, "service": SERVICE_SCOPES}
# The scopes of a new token, unless others are given.
DEFAULT_SCOPES = {
    "principal": frozenset({"events:read", "tickets:issue"}),
    "service": frozenset({"events:publish"}),
}
_VIEWER = frozenset({"events:read", "tickets:issue"})
_CHATTING = _VIEWER | {"window:write", "chat:write", "views:share"}
SCOPES_OF_GROUP = {
    "viewer": _VIEWER,
    "operator": _CHATTING | {"watch:write"},
    "auditor": _CHATTING | {"audit:read", "chat:read_all"},
    "administrator": OPERATOR_SCOPES,
}
