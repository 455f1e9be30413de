"""What a module has in the log of a stack."""

from tests.client import Client, Json


def stored(client: Client, module: str) -> list[Json]:
    """All events of the module, in the order of the log."""
    events: list[Json] = []
    query: dict[str, object] = {}
    while True:
        page = client.polled(module=module, limit=500, **query)
        events = page["events"] + events
        if not page["has_more"]:
            return events
        query = {"before": page["first_cursor"]}


def summaries(client: Client, module: str) -> list[str]:
    return [event["summary"] for event in stored(client, module)]
