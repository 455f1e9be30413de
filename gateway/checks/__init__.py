"""IS IT CONFIGURED AS IT MUST BE? Django system checks: at every start, before a public installation, and of roles.

docs/operations.md lists every id. An app above registers checks of its own.
"""
