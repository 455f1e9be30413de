"""MOVING DATA: from one database to another, a consistent copy of SQLite, and migrations that wait to be made."""
