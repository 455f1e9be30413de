"""WHAT RUNS BY ITSELF: chores that one of all processes does when they are due, and the purges they and people start.

An app registers its rows with `retention.keep_no_longer` and its work with `scheduler.register`.
"""
