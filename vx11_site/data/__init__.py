"""HOW IS THE DATABASE COPIED? To another database, as a consistent copy of SQLite; and which migrations are missing.

Used by commands and the server's start. See docs/operations.md.
"""
