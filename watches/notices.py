"""What a notice says: about one firing, or about several that came before it was sent. Pure.

The content is JSON that is stored with the notice; `title` and `text` make it readable, and receivers that are
programs get the content itself.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

# Groups that one notice names, with their state; further ones are counted.
GROUPS_NAMED = 50
TITLE_LIMIT = 150

Content = dict[str, Any]


def of_outcome(
    *, watch: Mapping[str, Any], state: str, group: str, at: str, count: int, link: str, details: Mapping[str, Any]
) -> Content:
    """`watch` has id, name, query and condition; `state` is "fired", "resolved" or "stopped"."""
    here = {"state": state, "at": at, "count": count, **details}
    return {
        "watch": dict(watch),
        "fired": int(state == "fired"),
        "resolved": int(state == "resolved"),
        "events": count if state == "fired" else 0,
        "first_at": at,
        "last_at": at,
        "last_state": state,
        "groups": {group: here},
        "more_groups": 0,
        "link": link,
    }


def of_test(target: str, at: str) -> Content:
    watch = {"id": 0, "name": f"test of {target}", "query": "", "condition": "a test of this target"}
    return of_outcome(watch=watch, state="test", group="", at=at, count=0, link="", details={})


def merged(earlier: Content, later: Content) -> Content:
    """One notice for both, of the same watch."""
    groups = {**earlier["groups"]}
    more = earlier["more_groups"] + later["more_groups"]
    for group, here in later["groups"].items():
        if group in groups or len(groups) < GROUPS_NAMED:
            groups[group] = here
        else:
            more += 1
    added = {name: earlier[name] + later[name] for name in ("fired", "resolved", "events")}
    return {**later, **added, "first_at": earlier["first_at"], "groups": groups, "more_groups": more}


def title(content: Content) -> str:
    """One line."""
    name, fired, resolved = content["watch"]["name"], content["fired"], content["resolved"]
    if content["last_state"] == "test":
        return f"VX11 Operator: {name}"
    if content["last_state"] == "stopped":
        return f"{name}: this watch has stopped"[:TITLE_LIMIT]
    parts = [f"fired {fired} times" if fired > 1 else "fired" if fired else ""]
    parts.append(f"resolved {resolved} times" if resolved > 1 else "resolved" if resolved else "")
    return f"{name}: {', '.join(part for part in parts if part)}"[:TITLE_LIMIT]


def text(content: Content, *, notice_id: str) -> str:
    """Plain text, for people."""
    watch = content["watch"]
    lines = [f"Condition: {watch['condition']}"]
    if watch["query"]:
        lines.append(f"Query: {watch['query']}")
    for group, here in content["groups"].items():
        named = f"{group}: " if group else ""
        lines.append(f"- {named}{here['state']} at {here['at']}{_counted(here)}")
    if content["more_groups"]:
        lines.append(f"- and {content['more_groups']} more")
    if content["first_at"] != content["last_at"]:
        lines.append(f"From {content['first_at']} to {content['last_at']}")
    if content["link"]:
        lines.append(content["link"])
    lines.append(f"Notice {notice_id}")
    return "\n".join(lines)


def _counted(here: Mapping[str, Any]) -> str:
    if reason := here.get("reason"):
        return f": {reason}"
    values = f", new: {', '.join(here['values'])}" if here.get("values") else ""
    return f", {here['count']} event{'s' if here['count'] != 1 else ''}{values}" if here["count"] else ""


def link_to(base: str, query: str, at: str) -> str:
    """The console's feed at that time, of what passes the query."""
    return f"{base}/operator/?{urlencode({'q': query, 'at': at} if query else {'at': at})}"
