"""WHAT HAS FIRED IN THE LOG? The one process of the cluster that evaluates watches, and what it writes.

`log_reader` reads the log by its own cursor under a `lease`, and `recording` commits state, cursor, events and notices
in one transaction. The server starts `Watching`; the API uses `rehearsal` to say what would have fired.
"""
