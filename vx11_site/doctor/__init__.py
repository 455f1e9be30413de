"""WHAT IS WRONG, AND HOW IS IT REPAIRED? The probes of `manage.py doctor`, one module for each area, and their
findings.

Every finding that is not OK has a repair. See docs/operations.md.
"""
