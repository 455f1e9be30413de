"""Django's SQLite, as this program uses it: named as ENGINE in the settings."""
