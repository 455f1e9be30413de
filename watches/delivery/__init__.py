"""HOW DO OTHERS GET IT? Notices to targets, and batches of events to webhooks: at least once, each with an id.

`queue` and `webhooks` say in the database what is due and what came of it, `senders` and `posting` send, `guard`
refuses addresses inside our own network, and `Delivering` does all of that in a few threads with time limits. The
server starts it. `secrets` and `addresses` are for the admin, which sets where things go.
"""
