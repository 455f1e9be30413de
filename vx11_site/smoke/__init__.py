"""DOES A RUNNING SERVER WORK? The trials of `manage.py smoke`, over HTTP only, as a client would do it.

See docs/operations.md.
"""
