"""WHAT DOES A WEBHOOK OF OTHERS SAY? How it is signed, and how its JSON becomes an event.

`signatures` checks who sent, `requests` reads bodies, and `mapping` makes the event: with expressions of JMESPath
(`expressions`), or of GitHub's events without any (`github_events`). The rows are `receivers.known_webhooks`'.
"""
