"""THE API OF WATCHES: list, make, change, mute, delete, rehearse, and what fired. docs/api.md describes it.

Every process with the public edge answers these itself, as it does questions about events: they need the database and
the log, and none of a backend's modules.
"""
