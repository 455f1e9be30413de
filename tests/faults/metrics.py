"""What a server says of itself in /metrics."""

from tests.client import Client


def metric(client: Client, name: str) -> float:
    """The value of a metric, named with its labels; 0 while there is none, as is so before it is first counted."""
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0.0)
